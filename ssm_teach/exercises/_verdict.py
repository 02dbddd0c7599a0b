"""What `check` says, as a badge in a notebook and as a line of text elsewhere."""

import html
from dataclasses import dataclass

__all__ = ["Verdict", "WrongAnswer"]

# Status → symbol, words, edge, paper, ink. The badge brings its own paper: it reads the same on light and dark pages.
_LOOKS = {
    "right": ("✓", "Right", "#007a55", "#e6f4ee", "#0b3b2a"),
    "wrong": ("✗", "Not yet", "#b34700", "#fdeee4", "#4a1d00"),
    "unsolved": ("○", "Not solved yet", "#5b6470", "#eef0f3", "#23282f"),
}


@dataclass(frozen=True)
class Verdict:
    """The judgement of one answer: ``status`` is right, wrong or unsolved; true only when right."""

    exercise: str
    status: str
    message: str
    hint: str = ""

    def __bool__(self) -> bool:
        return self.status == "right"

    def __repr__(self) -> str:
        symbol, words, *_ = _LOOKS[self.status]
        lines = [f"{symbol} {self.exercise}: {words}", *self._details()]
        return "\n".join(lines[:1] + [f"  {line}" for line in lines[1:]])

    def _repr_html_(self) -> str:
        symbol, words, edge, paper, ink = _LOOKS[self.status]
        details = "".join(f'<p style="margin:.3em 0 0;color:{ink}">{html.escape(line)}</p>' for line in self._details())
        name = html.escape(self.exercise)
        box = f"border-left:.3em solid {edge};background:{paper};color:{ink};padding:.5em .9em;border-radius:.25em"
        return (
            f'<div class="ssm-verdict ssm-verdict--{self.status}" role="status" data-exercise="{name}" style="{box}">'
            f'<strong style="color:{ink}"><span aria-hidden="true">{symbol}</span> {words}</strong> '
            f'<span style="color:{ink}">· exercise {name}</span>{details}</div>'
        )

    def _details(self) -> list[str]:
        message = self.message if self.status == "wrong" else self.message.partition(". ")[2]
        return [line for line in [message, *self.hint.splitlines()] if line]


class WrongAnswer(AssertionError):
    """Raised by `check` for a wrong answer, so that a page or a test that holds one fails. Its text is the verdict."""

    def __init__(self, verdict: Verdict):
        super().__init__(repr(verdict))
        self.verdict = verdict
        self._shown = False

    def _render_traceback_(self) -> list[str]:
        """Show the reader the verdict in place of the checker's own stack frames (a hook of IPython).

        IPython calls it twice, once for the page and once for its history; the verdict is shown once.
        """
        from IPython.display import display

        if not self._shown:
            display(self.verdict)
        self._shown = True
        return [f"WrongAnswer: {self.verdict.exercise}"]
