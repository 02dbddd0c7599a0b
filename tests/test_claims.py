"""A claim stands exactly when its evidence does, and a claim that is not well formed is refused in one sentence."""

import html
import json
import math
import re

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssm_teach import claims
from ssm_teach.claims import Claim, ClaimError, claim, evaluate
from ssm_teach.errors import UserError

x, y = sympy.symbols("x y")
t, h = sympy.symbols("t h", positive=True)
n = sympy.symbols("n", integer=True, nonnegative=True)
f = sympy.Function("f")


def weigh(**evidence) -> Claim:
    return evaluate(**{"id": "a-claim", "statement": "One sentence.", "source": "a test"} | evidence)


IDENTITIES = {
    "zero": sympy.S.Zero,
    "polynomial": (x + y) ** 2 - x**2 - 2 * x * y - y**2,
    "rational": 1 / (1 - x) - 1 - x / (1 - x),
    "trigonometric": sympy.sin(x) ** 2 + sympy.cos(x) ** 2 - 1,
    "hyperbolic": sympy.tanh(x / 2) - (sympy.exp(x) - 1) / (sympy.exp(x) + 1),
    "positive symbol": sympy.sqrt(t**2) - t,
    "integer symbol": sympy.cos(sympy.pi * n) - (-1) ** n,
    "integral": sympy.Integral(sympy.exp(-t * x), (x, 0, h)) - (1 - sympy.exp(-t * h)) / t,
    "derivative of an unknown function": sympy.diff(f(x) ** 2, x) - 2 * f(x) * sympy.Derivative(f(x), x),
    "nested radicals": sympy.sqrt(3 + 2 * sympy.sqrt(2)) - 1 - sympy.sqrt(2),
    "matrix": sympy.Matrix([[1, x], [0, 1]]).inv() - sympy.Matrix([[1, -x], [0, 1]]),
    "matrix symbols": sympy.MatrixSymbol("M", 2, 2).T.T - sympy.MatrixSymbol("M", 2, 2),
    "nested list": [[x - x, sympy.S.Zero], sympy.Matrix([[sympy.expand(x * (y + 1)) - x * y - x]])],
    "array of objects": np.array([x - x, sympy.S.Zero], dtype=object),
    "imaginary symbol": sympy.conjugate(w := sympy.symbols("w", imaginary=True)) + w,
}


@pytest.mark.parametrize("zero", IDENTITIES.values(), ids=IDENTITIES)
def test_identity_is_proven_symbolically(zero):
    result = weigh(zero=zero)
    assert result.holds, result.reason
    assert (result.kind, result.residual, result.tolerance, result.evidence) == ("symbolic", None, None, "exactly 0")


FALSEHOODS = {
    "wrong sign": (x + y) ** 2 - x**2 + 2 * x * y - y**2,
    "wrong branch": sympy.sqrt(x**2) - x,
    "only at one point": x - 1,
    "only for integers": sympy.sin(sympy.pi * x),
    "one entry of a matrix": sympy.Matrix([[0, 0], [0, x]]),
    "tiny but exact": sympy.Rational(1, 10**15),
    "below what numbers show": sympy.Rational(1, 10**25),
    "undecided": f(x) - f(y),
    "order term": sympy.O(h**3),
}


@pytest.mark.parametrize("zero", FALSEHOODS.values(), ids=FALSEHOODS)
def test_what_is_not_proven_zero_fails(zero):
    result = weigh(zero=zero)
    assert not result.holds
    assert result.reason


def test_a_disproof_and_a_missing_proof_are_told_apart():
    assert weigh(zero=x - 1).reason == "x - 1 is not zero"
    assert "could not reduce f(x) - f(y) to zero" in weigh(zero=f(x) - f(y)).reason


@pytest.mark.parametrize("zero", [0.0, 1e-30, 0, True, 0.5 * x, sympy.Float(0.0), "0", np.zeros(2), [x - x, 0.0]])
def test_floating_point_is_refused_as_symbolic_evidence(zero):
    with pytest.raises(UserError, match="exact SymPy expression"):
        weigh(zero=zero)


@pytest.mark.parametrize("zero", [[], sympy.zeros(0, 3), np.array([], dtype=object)])
def test_no_expression_at_all_proves_nothing(zero):
    with pytest.raises(UserError, match="empty"):
        weigh(zero=zero)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(min_value=1e-300, max_value=1e300))
def test_a_residual_stands_exactly_up_to_its_tolerance(residual, tol):
    assert weigh(residual=residual, tol=tol).holds == (abs(residual) <= tol)


@pytest.mark.parametrize(
    "residual",
    [-3.0, 3, np.float32(-3), [1, -3], np.array([[3j, 0]]), torch.tensor([1.0, -3.0], requires_grad=True),
     torch.tensor([3j]).conj(), torch.tensor([3.0], dtype=torch.bfloat16), sympy.Integer(-3), [sympy.sqrt(9)]],
    ids=repr,
)  # fmt: skip
def test_the_largest_absolute_entry_counts(residual):
    assert weigh(residual=residual, tol=4).residual == 3
    assert not weigh(residual=residual, tol=2.9).holds


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, complex(0, math.nan)])
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: np.array([0.0, v, 0.0]), lambda v: torch.tensor([v, 0])])
def test_a_residual_that_is_not_finite_never_stands(bad, wrap):
    assert not weigh(residual=wrap(bad), tol=1e300).holds


@pytest.mark.parametrize("tol", [None, 0, -1e-9, math.nan, math.inf, "1e-9", True])
def test_a_residual_needs_a_finite_positive_tolerance(tol):
    with pytest.raises(UserError, match="tol must be a finite number > 0"):
        weigh(residual=0.0, tol=tol)


@pytest.mark.parametrize("residual", [True, np.array([True]), [], "small", x])
def test_a_residual_must_be_numbers(residual):
    with pytest.raises(UserError, match="residual must be"):
        weigh(residual=residual, tol=1)


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        ({}, "give either zero= or residual="),
        ({"zero": x - x, "residual": 0.0, "tol": 1}, "give either zero= or residual="),
        ({"tol": 1e-9}, "give either zero= or residual="),
        ({"zero": x - x, "tol": 1e-9}, "zero= is exact"),
        ({"zero": x - x, "measured": "run"}, "zero= is exact"),
        ({"zero": x - x, "id": "Not_Kebab"}, "id must be kebab-case"),
        ({"zero": x - x, "statement": " "}, "statement must be a sentence"),
        ({"zero": x - x, "source": ""}, "source must be a sentence"),
        ({"zero": x - x, "verdict": "true"}, "unknown verdict 'true'"),
        ({"zero": x - x, "verdict": "false"}, "needs counterexample="),
        ({"zero": x - x, "counterexample": "One."}, "has no counterexample"),
        ({"zero": x - x, "equations": "eq-one"}, "equations must be a list of labels"),
        ({"zero": x - x, "equations": ["def-one"]}, "equations must be a list of labels"),
        ({"residual": 0.0, "tol": 1, "measured": "no-such-run"}, "no record 'no-such-run' in results/"),
        ({"residual": 0.0, "tol": 1, "measured": "../pyproject"}, "no record"),
        ({"residual": 0.0, "tol": 1, "measured": "bench/../../pyproject"}, "no record"),
    ],
)
def test_a_malformed_claim_gets_one_sentence(evidence, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)) as error:
        weigh(**evidence)
    assert "\n" not in str(error.value)


def test_a_measured_claim_rests_on_a_record(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "RESULTS", tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"accuracy": 0.97}))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "timing.json").write_text(json.dumps({"rows": {}}))
    for record in ("run", "bench/timing"):
        assert weigh(residual=0.01, tol=0.02, measured=record).kind == "measured"
    with pytest.raises(UserError, match="not a JSON record"):
        weigh(residual=0.01, tol=0.02, measured="broken")


def test_a_false_statement_of_the_literature_stands_on_its_counterexample():
    result = weigh(zero=x - x, verdict="false", counterexample="At 2 it is 3.")
    assert result.holds
    assert "is false" in repr(result)
    assert "Counterexample: At 2 it is 3." in repr(result)


def test_claim_shows_the_badge_before_it_raises(capsys):
    with pytest.raises(
        ClaimError, match=r"^claim a-claim fails: the residual 1\.0e\+00 exceeds the tolerance 1\.0e-09$"
    ):
        claim("a-claim", "One sentence.", residual=1.0, tol=1e-9, source="a test")
    assert "Claim a-claim fails" in capsys.readouterr().out
    assert claim("a-claim", "One sentence.", residual=0.0, tol=1e-9, source="a test") is None


@given(st.text(min_size=1).filter(str.strip))
def test_the_badge_carries_its_record_whatever_the_words(words):
    result = weigh(zero=x - x, statement=words, source=words, equations=["eq-other"])
    attribute = re.search(r'data-claim="([^"]*)"', result._repr_html_())[1]
    assert json.loads(html.unescape(attribute)) == result.record()


def test_the_badge_says_in_words_what_its_colour_says():
    shown = {
        "Claim holds": weigh(zero=x - x),
        "Claim holds if h &lt; 1": weigh(zero=x - x, verdict="holds if h < 1"),
        "Claim false": weigh(zero=x - x, verdict="false", counterexample="At 2."),
        "Claim fails": weigh(zero=x - 1),
    }
    for words, result in shown.items():
        assert words in result._repr_html_()


def test_mathematics_is_typeset_and_markup_is_not_interpreted():
    badge = weigh(zero=x - x, statement="For $a < b$ & <script>.")._repr_html_()
    assert r'<span class="math notranslate nohighlight">\(a &lt; b\)</span> &amp; &lt;script&gt;' in badge
