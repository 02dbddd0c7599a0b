"""A claim: one sentence that the reader is asked to believe, the evidence for it, and the badge that shows both.

The evidence is one of three kinds. *Symbolic*: SymPy reduces an expression to exactly zero. *Numeric*: a residual is at
most its tolerance. *Measured*: the residual is computed from a recorded run, `results/<name>.json`. A claim whose
evidence fails draws a red badge and raises, so a false claim stops the notebook and with it the build of the book.

>>> import sympy
>>> x = sympy.symbols("x")
>>> print(evaluate("square", "The square of a sum expands.", zero=(x + 1) ** 2 - x**2 - 2 * x - 1, source="here"))
Claim square holds: The square of a sum expands. [symbolic: exactly 0] Source: here
>>> print(evaluate("third", "1/3 is 0.333 to three digits.", residual=1 / 3 - 0.333, tol=1e-3, source="here"))
Claim third holds: 1/3 is 0.333 to three digits. [numeric: residual 3.3e-04 ≤ 1.0e-03] Source: here
"""

import html
import json
import math
import random
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sympy

from ssm_teach.errors import require

__all__ = ["Claim", "ClaimError", "claim", "evaluate", "typeset"]

RESULTS = Path(__file__).resolve().parent.parent / "results"


class ClaimError(AssertionError):
    """The evidence of a claim does not support it."""


def claim(id, statement, **evidence):
    """Show the badge of a claim; raise `ClaimError` when its evidence fails.

    Args: as `evaluate`.
    Raises: ClaimError: when the evidence fails. UserError: when the claim is not well formed.
    """
    # Imported here: the pure part of this module must work where there is no notebook.
    from IPython.display import display

    result = evaluate(id, statement, **evidence)
    display(result)
    if not result.holds:
        raise ClaimError(f"claim {result.id} fails: {result.reason}")


def evaluate(
    id,
    statement,
    *,
    zero=None,
    residual=None,
    tol=None,
    measured=None,
    source,
    verdict="holds",
    counterexample=None,
    equations=(),
):
    """Weigh the evidence of a claim without showing it.

    Args:
        id: kebab-case name, unique in the book; the claim covers the equation labelled `eq-<id>`.
        statement: one sentence; mathematics between dollar signs.
        zero: SymPy expression, matrix, or (nested) list of them; each must reduce to exactly zero.
        residual: number or array; the largest absolute value counts and must be finite.
        tol: the residual's tolerance, > 0.
        measured: name of the record `results/<name>.json` that the residual was computed from; timings are `bench/…`.
        source: where the statement comes from.
        verdict: "holds", "holds if …", or "false"; a statement of the literature that fails when executed is
            "false", and then the evidence proves the counterexample.
        counterexample: one sentence, compulsory for the verdict "false".
        equations: further equation labels (`eq-…`) that this claim covers.
    Returns: Claim.
    Raises: UserError: when the claim is not well formed.
    """
    _require_words(id, statement, source)
    _require_verdict(id, verdict, counterexample)
    _require_equations(id, equations)
    require((zero is None) != (residual is None), f"claim {id}: give either zero= or residual=, and not both")
    if zero is not None:
        require(tol is None and measured is None, f"claim {id}: zero= is exact; drop tol= and measured=")
        kind, size, (holds, reason) = "symbolic", None, _weigh_symbolic(id, zero)
    else:
        require(_is_tolerance(tol), f"claim {id}: tol must be a finite number > 0, got {tol!r}")
        kind, size = "numeric" if measured is None else "measured", _largest(id, residual)
        holds, reason = _weigh_residual(size, tol)
        if measured is not None:
            _require_record(id, measured)
    return Claim(
        id=id, statement=statement, kind=kind, residual=size, tolerance=None if tol is None else float(tol),
        verdict=verdict, source=source, holds=holds, reason=reason, measured=measured, counterexample=counterexample,
        equations=tuple(equations),
    )  # fmt: skip


@dataclass(frozen=True, repr=False)
class Claim:
    """A weighed claim: `holds` says whether its evidence supports it, `reason` why not."""

    id: str
    statement: str
    kind: str  # symbolic, numeric or measured
    residual: float | None  # None for a symbolic claim
    tolerance: float | None
    verdict: str
    source: str
    holds: bool
    reason: str
    measured: str | None = None
    counterexample: str | None = None
    equations: tuple[str, ...] = ()

    @property
    def evidence(self) -> str:
        """The evidence in words."""
        if self.kind == "symbolic":
            return "exactly 0" if self.holds else "not 0"
        return f"residual {self.residual:.1e} {'≤' if self.holds else '≰'} {self.tolerance:.1e}"

    @property
    def outcome(self) -> str:
        """What the reader may take away: the verdict, or that the evidence failed."""
        return self.verdict if self.holds else "fails"

    def record(self) -> dict:
        """What the book's ledger keeps of this claim."""
        keys = ("id", "statement", "kind", "residual", "tolerance", "verdict", "source", "measured", "counterexample")
        return {key: getattr(self, key) for key in keys} | {"equations": list(self.equations)}

    def __repr__(self) -> str:
        outcome = "is false" if self.outcome == "false" else self.outcome
        ending = "" if self.counterexample is None else f" Counterexample: {self.counterexample}"
        return (
            f"Claim {self.id} {outcome}: {self.statement} [{self.kind}: {self.evidence}] Source: {self.source}{ending}"
        )

    def _repr_html_(self) -> str:
        return _badge(self)


# Evidence


def _weigh_symbolic(id, zero) -> tuple[bool, str]:
    entries = list(_entries(id, zero))
    require(bool(entries), f"claim {id}: zero is empty, so it proves nothing; give at least one expression")
    for entry in entries:
        if not _is_proven_zero(entry):
            shown = sympy.sstr(entry)
            shown = shown if len(shown) <= 80 else shown[:77] + "…"
            if _is_visibly_nonzero(entry):
                return False, f"{shown} is not zero"
            return False, f"SymPy could not reduce {shown} to zero; simplify it on the page, step by step"
    return True, ""


def _entries(id, zero):
    """The scalar expressions in `zero`, which may nest matrices and lists."""
    if isinstance(zero, sympy.MatrixExpr):
        zero = zero.doit()
        zero = [sympy.S.Zero] if isinstance(zero, sympy.ZeroMatrix) else zero.as_explicit()
    if isinstance(zero, sympy.MatrixBase | sympy.NDimArray | list | tuple | np.ndarray):
        for part in zero.tolist() if isinstance(zero, np.ndarray | sympy.NDimArray) else zero:
            yield from _entries(id, part)
        return
    # A Python number has already lost where it came from: a float may be rounded, an int may be an empty sum.
    require(
        isinstance(zero, sympy.Expr) and not zero.has(sympy.Float),
        f"claim {id}: zero must be an exact SymPy expression, matrix or list, got {zero!r} ({type(zero).__name__}); "
        "for floating-point numbers use residual= and tol=",
    )
    yield zero.doit()


def _is_proven_zero(expression) -> bool:
    """Whether one of a few rewritings makes the expression structurally zero; the cheap ones come first."""
    cheap = (lambda e: e, sympy.expand, lambda e: sympy.cancel(sympy.together(e)))
    thorough = (
        sympy.simplify,
        lambda e: sympy.simplify(e.rewrite(sympy.exp)),
        lambda e: sympy.simplify(sympy.piecewise_fold(sympy.expand(e, complex=True))),
        sympy.radsimp,
        _algebraic_value,
    )
    if any(_becomes_zero(rewrite, expression) for rewrite in cheap):
        return True
    if _is_visibly_nonzero(expression):
        return False  # spares the slow rewritings
    return any(_becomes_zero(rewrite, expression) for rewrite in thorough)


def _becomes_zero(rewrite, expression) -> bool:
    try:
        return rewrite(expression) == 0
    except (NotImplementedError, sympy.PolynomialError, ArithmeticError, AttributeError, TypeError, ValueError):
        return False  # this rewriting does not apply to such an expression


def _algebraic_value(expression):
    """Zero if the minimal polynomial of an algebraic number says so; else the expression itself."""
    if not (expression.is_number and expression.is_algebraic):
        return expression
    x = sympy.Dummy("x")
    return sympy.S.Zero if sympy.minimal_polynomial(expression, x) == x else expression


def _is_visibly_nonzero(expression, trials: int = 3) -> bool:
    """Whether the expression is far from zero at one of a few random points that respect its symbols' assumptions."""
    draw = random.Random(0)
    for _ in range(trials):
        try:
            point = {symbol: _sample(symbol, draw) for symbol in sorted(expression.free_symbols, key=str)}
            value = complex(expression.subs(point, simultaneous=True).evalf(30))
        except Exception:  # whatever SymPy cannot evaluate (an abstract function, a sum) is left to the proof alone
            continue
        if math.isfinite(abs(value)) and abs(value) > 1e-20:
            return True
    return False


def _sample(symbol, draw):
    """An exact random number that satisfies every assumption of the symbol."""
    for _ in range(100):
        real = draw.choice((-1, 1)) * sympy.Rational(draw.randint(1, 99), draw.choice((1, 37)))
        imaginary = sympy.I * sympy.Rational(draw.randint(-99, 99), 41)
        # The most general number first, so that a complex symbol is not only tried on the real line.
        for number in (real + imaginary, imaginary, real):
            if all(getattr(number, f"is_{fact}") in (value, None) for fact, value in symbol.assumptions0.items()):
                return number
    raise ValueError(f"no sample for {symbol}")


def _weigh_residual(size: float, tol: float) -> tuple[bool, str]:
    if not math.isfinite(size):
        return False, f"the residual is {size}, not a finite number"
    return size <= tol, "" if size <= tol else f"the residual {size:.1e} exceeds the tolerance {tol:.1e}"


def _largest(id, residual) -> float:
    """The largest absolute value of a number, array or tensor; NaN when any entry is NaN."""
    if hasattr(residual, "detach"):
        residual = residual.detach().cpu().resolve_conj().tolist()
    values = np.asarray(residual)
    require(
        values.dtype != bool and values.size > 0,
        f"claim {id}: residual must be numbers, got {residual!r}; give the difference, not whether it is small",
    )
    try:
        return float(np.max(np.abs(values.astype(complex))))
    except (TypeError, ValueError):
        require(False, f"claim {id}: residual must be a number or an array of numbers, got {residual!r}")


# Form


def _require_words(id, statement, source):
    well_named = isinstance(id, str) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", id)
    require(well_named, f"claim: id must be kebab-case such as 'zoh-exact', got {id!r}")
    for name, value in (("statement", statement), ("source", source)):
        require(isinstance(value, str) and value.strip(), f"claim {id}: {name} must be a sentence, got {value!r}")


def _require_verdict(id, verdict, counterexample):
    known = isinstance(verdict, str) and (verdict in ("holds", "false") or verdict.startswith("holds if "))
    require(known, f"claim {id}: unknown verdict {verdict!r}; choose one of 'holds', 'holds if …', 'false'")
    if verdict == "false":
        require(bool(counterexample), f"claim {id}: verdict 'false' needs counterexample='one sentence'")
    if verdict == "holds":
        require(counterexample is None, f"claim {id}: a claim that holds has no counterexample; drop it")


def _require_equations(id, equations):
    listed = isinstance(equations, list | tuple) and all(isinstance(e, str) and e.startswith("eq-") for e in equations)
    require(listed, f"claim {id}: equations must be a list of labels that start with 'eq-', got {equations!r}")


def _is_tolerance(tol) -> bool:
    return isinstance(tol, int | float | np.floating) and not isinstance(tol, bool) and math.isfinite(tol) and tol > 0


def _require_record(id, name):
    path = RESULTS / f"{name}.json"
    require(
        re.fullmatch(r"(bench/)?[\w.-]+", name) is not None and path.is_file(),
        f"claim {id}: no record {name!r} in results/; a measured claim names a file there, without .json",
    )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        record = None
    require(isinstance(record, dict) and record, f"claim {id}: results/{name}.json is not a JSON record")


# The badge. Its styles are inline so that it reads well in any notebook, light or dark; in the book CSS variables rule.

_BADGE = """\
<div class="ssm-claim ssm-claim-{css}" id="claim-{id}" data-claim="{record}" role="note" aria-label="Claim {id}"
 style="margin:1em 0;padding:.6em .9em;border:1px solid var(--ssm-claim-rule,#8a94a0);border-radius:.4em;
 border-left:.35em solid var(--ssm-claim-{css},{colour});background:var(--ssm-claim-surface,transparent);
 color:inherit;line-height:1.5">
<div class="ssm-claim-head" style="font-size:.85em">
<strong class="ssm-claim-mark">{mark} Claim {outcome}</strong> · {kind}: {evidence}</div>
<div class="ssm-claim-statement">{statement}{counterexample}</div>
<details class="ssm-claim-details" style="font-size:.85em"><summary style="cursor:pointer">Source: {source}</summary>
<dl style="margin:.3em 0 0">{details}</dl></details>
</div>"""

_MARKS = {
    "holds": ("✓", "#2e8b57"),
    "conditional": ("◐", "#b07d12"),
    "false": ("✗", "#7a5bb5"),
    "failed": ("⚠", "#c62828"),
}
_KINDS = {
    "symbolic": "SymPy reduces it to exactly zero",
    "numeric": "computed on this page",
    "measured": "computed from a recorded run",
}


def _badge(claim: Claim) -> str:
    css = "failed" if not claim.holds else "conditional" if claim.verdict.startswith("holds if") else claim.verdict
    mark, colour = _MARKS[css]
    details = {"Name": claim.id, "Kind of evidence": f"{claim.kind}, {_KINDS[claim.kind]}", "Evidence": claim.evidence}
    details |= {"Record": claim.measured and f"results/{claim.measured}.json", "Fails because": claim.reason}
    counterexample = f"<br><em>Counterexample:</em> {typeset(claim.counterexample)}" if claim.counterexample else ""
    return _BADGE.format(
        css=css, mark=mark, colour=colour, id=claim.id, outcome=typeset(claim.outcome), kind=claim.kind,
        evidence=html.escape(claim.evidence), statement=typeset(claim.statement), source=typeset(claim.source),
        counterexample=counterexample,
        record=html.escape(json.dumps(claim.record(), ensure_ascii=False)),
        details="".join(f"<dt>{name}</dt><dd>{typeset(value)}</dd>" for name, value in details.items() if value),
    )  # fmt: skip


def typeset(text: str) -> str:
    """Escape a sentence for HTML; mathematics between dollar signs is left to MathJax."""
    return re.sub(r"\$(.+?)\$", r'<span class="math notranslate nohighlight">\\(\1\\)</span>', html.escape(text))
