"""Pictures of a scan, drawn from the trace that `ssm_teach.scan` keeps of what it did.

Cells are columns and steps are rows, so time runs downwards: lines lead from the cells that are read to the cell that
is written. A disc combines, a square copies, a diamond writes the identity; no meaning hangs on a colour alone.
"""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib as mpl
import numpy as np
from IPython.display import HTML
from matplotlib.animation import FFMpegWriter, FuncAnimation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ssm_teach.errors import choose, require
from ssm_teach.scan import Step, Trace
from ssm_teach.viz.animation import animation
from ssm_teach.viz.plots import _axes
from ssm_teach.viz.style import COLORS

__all__ = ["ScanAnimation", "animate_scan", "plot_scan_network"]

_MOST_CELLS = 32
_MOST_NAMES = 8
_FAINT = "#A4ABB8"
_PAPER = {"boxstyle": "square,pad=0.15", "facecolor": COLORS["paper"], "edgecolor": "none"}
_READ = {"boxstyle": "round,pad=0.35,rounding_size=0.7", "facecolor": COLORS["paper"], "edgecolor": COLORS["ink"]}
_READ |= {"linewidth": 1.3}
_EDGE = {"boxstyle": "square,pad=0.35", "edgecolor": COLORS["blue"], "facecolor": COLORS["paper"]}
_WRITTEN = {
    2: _EDGE | {"facecolor": "#D3E7F4", "linewidth": 2.2},
    1: _EDGE | {"linestyle": (0, (4, 2)), "linewidth": 1.5},
    0: _EDGE | {"linestyle": (0, (1, 1.5)), "linewidth": 1.8},
}
_MARKERS = {2: "o", 1: "s", 0: "D"}  # by number of sources


# The still picture.


def plot_scan_network(trace: Trace, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw every step of a scan at once: what is read, where it goes, and what is done to it.

    Args:
        trace: As filled by an algorithm of `ssm_teach.scan`; any length.
        title: Above the picture; the algorithm's name, its work and its depth if left out.
    Raises: UserError: for a trace that holds no scan.
    """
    _require_scan("plot_scan_network", trace)
    ax = _axes(ax)
    size = float(np.clip(60 / trace.width, 1.5, 6))
    _draw_wires(ax, trace)
    for row, step in enumerate(trace.steps, 1):
        _draw_ways(ax, trace, row, step, color=COLORS["blue"], linewidth=1.1)
        _draw_marks(ax, row, step, color=COLORS["blue"], size=size)
    counts = f"{_name(trace)}: work {trace.work}, depth {trace.depth}"
    ax.set(title=counts if title is None else title, xlabel="cell", xlim=(-0.7, trace.width - 0.3))
    ax.set_ylim(len(trace.steps) + 0.5, -0.5)
    _name_rows(ax, ["input", *(step.phase for step in trace.steps)])
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.grid(False)
    return ax


def _draw_wires(ax: Axes, trace: Trace) -> None:
    for cell in range(trace.width):
        style = {"linestyle": "-" if cell < trace.length else ":", "linewidth": 0.8, "zorder": 0}
        ax.plot([cell, cell], [0, len(trace.steps)], color=COLORS["grid"], **style)


def _draw_ways(ax: Axes, trace: Trace, row: int, step: Step, **style) -> None:
    """Lines from the row above to ``row``. The input that is kept behind the working cells comes in from the side."""
    for target, sources in step.actions:
        dashes = "--" if len(sources) == 1 else "-"
        for source in sources:
            kept = source >= trace.width
            start = (target - 0.45, row - 0.55) if kept else (source, row - 1)
            ax.plot(*zip(start, (target, row), strict=True), linestyle=":" if kept else dashes, **style)


def _draw_marks(ax: Axes, row: int, step: Step, color: str, size: float) -> None:
    for kind, marker in _MARKERS.items():
        targets = [target for target, sources in step.actions if len(sources) == kind]
        fill = color if kind == 2 else COLORS["paper"]
        style = {"markersize": size, "markeredgecolor": color, "markerfacecolor": fill, "zorder": 3}
        ax.plot(targets, [row] * len(targets), linestyle="none", marker=marker, **style)


def _name_rows(ax: Axes, phases: list[str]) -> None:
    """Each phase beside its first step; of very many phases only the first two and the last."""
    rows = [row for row, phase in enumerate(phases) if row == 0 or phases[row - 1] != phase]
    if len(rows) > _MOST_NAMES:
        rows = [*rows[:2], rows[-1]]
    ax.set_yticks(rows, [textwrap.fill(phases[row], 12) for row in rows])


def _name(trace: Trace) -> str:
    known = {"hillis_steele": "Hillis–Steele", "odd_even": "odd–even"}
    name = known.get(trace.algorithm, trace.algorithm or "scan")
    return name[0].upper() + name[1:]


def _require_scan(function: str, trace: Trace) -> None:
    require(
        isinstance(trace, Trace) and bool(trace.initial),
        f"{function}: trace must hold a scan; got {trace!r}. Give Trace() to an algorithm of ssm_teach.scan first",
    )


# The moving picture.


def animate_scan(
    trace: Trace,
    *,
    format: Callable[[object], str] | None = None,
    title: str | None = None,
    alt: str | None = None,
    fps: float = 0.8,
) -> "ScanAnimation":
    """Make an animation of a scan: a row of cells, and below it the same row after each step.

    It plays as it is in a notebook or on a page, and ``.save("scan.gif")`` writes it to a file.

    Args:
        trace: As filled by an algorithm of `ssm_teach.scan`, of at most 32 cells; up to 16 are easily read.
        format: From the contents of a cell to its text; a few significant digits, and long words as "a–h", if left out.
        title: Above the picture; the algorithm's name if left out.
        alt: For a reader who does not see it; made from the trace if left out.
        fps: Steps a second.
    Raises: UserError: for a trace that holds no scan, or a row too long to be read.

    >>> from ssm_teach.scan import SUM, Trace, blelloch
    >>> trace = Trace()
    >>> _ = blelloch(SUM.op, [3, 1, 4, 1], SUM.identity, trace, inclusive=False)
    >>> animate_scan(trace).alt
    'Blelloch, a scan of 4 elements in 5 steps: up-sweep, clear, down-sweep. Each step adds a row with the contents of
    all cells. Work 6, depth 4. The cells hold 3, 1, 4, 1 at first and 0, 3, 4, 8 at last.'
    """
    _require_scan("animate_scan", trace)
    require(
        trace.width <= _MOST_CELLS,
        f"animate_scan: trace must have at most {_MOST_CELLS} cells to be readable; got {trace.width}. "
        "plot_scan_network draws rows of any length",
    )
    require(fps > 0, f"animate_scan: fps must be positive; got {fps}")
    format = format or in_few_letters
    return ScanAnimation(trace, format, title or _name(trace), alt or _in_words(trace, format), fps)


@dataclass(frozen=True)
class ScanAnimation:
    """A scan, step by step: a notebook shows it; called, it makes the matplotlib animation for `viz.animation`."""

    trace: Trace
    format: Callable[[object], str] = field(repr=False)
    title: str
    alt: str = field(repr=False)
    fps: float

    def __call__(self) -> FuncAnimation:
        rows = len(self.trace.steps) + 1
        height = min(0.46, 6.0 / rows)
        # Outside pyplot: a notebook would show every figure that pyplot knows once more, standing still.
        figure = Figure(figsize=(7.0, height * rows + 1.25), layout="constrained")
        # Laid out by hand. Constrained first, because without any engine saving falls back to the one of the style.
        figure.set_layout_engine("none")
        top, bottom = 0.62 / figure.get_figheight(), 0.55 / figure.get_figheight()
        ax = figure.add_axes((0.13, bottom, 0.86, 1 - top - bottom))
        return FuncAnimation(figure, lambda step: self._draw(ax, step), frames=rows, blit=False)

    def _repr_html_(self) -> str:
        return self.to_html().data

    def to_html(self, dpi: float = 110.0) -> HTML:
        """The animation as a piece of a page, asking nobody for anything."""
        return animation(self, alt=self.alt, fps=self.fps, dpi=dpi)

    def save(self, path: str | Path, *, fps: float | None = None, dpi: float = 110.0) -> Path:
        """Write the animation to a ``.gif``, or to an ``.mp4`` where ffmpeg is installed, and return the path."""
        path = Path(path)
        writer = {".gif": PillowWriter, ".mp4": FFMpegWriter}[
            choose("animate_scan", "type of file", path.suffix.lower(), [".gif", ".mp4"])
        ]
        require(
            writer.isAvailable(),
            f"animate_scan: {path.name} needs ffmpeg, which is not installed; save a .gif instead, which needs nothing",
        )
        with mpl.rc_context({"savefig.bbox": None}):
            self().save(path, writer=writer(fps=fps or self.fps), dpi=dpi)
        return path

    def _draw(self, ax: Axes, now: int) -> None:
        trace = self.trace
        ax.clear()
        ax.set(xlim=(-0.5, trace.width - 0.5), ylim=(len(trace.steps) + 0.5, -0.5), xticks=range(trace.width))
        ax.grid(False)
        ax.spines[:].set_visible(False)
        _draw_wires(ax, trace)
        for row, step in enumerate(trace.steps[:now], 1):
            style = {"color": COLORS["blue"], "linewidth": 1.8} if row == now else {"color": _FAINT, "linewidth": 0.9}
            _draw_ways(ax, trace, row, step, **style, zorder=1)
        self._write_rows(ax, now)
        ax.tick_params(length=0, labelsize=8, labelcolor=COLORS["grey"])
        _name_rows(ax, ["input", *(step.phase for step in trace.steps)][: now + 1])
        self._caption(ax, now)

    def _write_rows(self, ax: Axes, now: int) -> None:
        """The whole row as it is now, and above it what each step wrote: the tree."""
        contents = [self.trace.initial, *(step.cells for step in self.trace.steps)]
        size = _letter_size([self.format(cell) for cells in contents for cell in cells], self.trace.width)
        boxes = _boxes(self.trace, now)
        for row, cells in enumerate(contents[: now + 1]):
            written = {action.target for action in self.trace.steps[row - 1].actions} if row else range(len(cells))
            for cell, value in enumerate(cells[: self.trace.width]):
                box = boxes.get((row, cell))
                if row == now or box or cell in written:
                    color = COLORS["ink"] if box or (row == now and cell < self.trace.length) else COLORS["grey"]
                    weight = "bold" if box and row == now else "normal"
                    # Paper under the letters keeps the lines from running through them.
                    style = {"fontsize": size, "color": color, "fontweight": weight, "bbox": box or _PAPER, "zorder": 2}
                    ax.text(cell, row, self.format(value), ha="center", va="center_baseline", linespacing=0.95, **style)

    def _caption(self, ax: Axes, now: int) -> None:
        figure, done = ax.figure, Trace()
        done.steps = self.trace.steps[:now]
        for old in list(figure.texts):
            old.remove()
        step = f"step {now} of {len(self.trace.steps)}"
        what = f"{step}: {self.trace.steps[now - 1].phase}" if now else f"{step}: before it begins"
        top = 1 - 0.2 / figure.get_figheight()
        figure.text(0.01, top, self.title, fontsize=12, fontweight="bold", va="center")
        figure.text(0.99, top, f"work {done.work} of {self.trace.work}", fontsize=10, ha="right", va="center")
        low = top - 0.25 / figure.get_figheight()
        figure.text(0.01, low, what, fontsize=10, va="center")
        figure.text(0.99, low, f"depth {done.depth} of {self.trace.depth}", fontsize=10, ha="right", va="center")
        key = {"read": _READ, "combined": _WRITTEN[2], "copied": _WRITTEN[1], "identity written": _WRITTEN[0]}
        for place, (meaning, box) in zip((0.16, 0.29, 0.425, 0.58), key.items(), strict=True):
            figure.text(place, 0.16 / figure.get_figheight(), meaning, fontsize=8, ha="center", va="center", bbox=box)


def _boxes(trace: Trace, now: int) -> dict[tuple[int, int], dict]:
    """What is drawn around a cell's contents, by (row, cell): above what is read, in this row what is written."""
    boxes = {}
    for target, sources in trace.steps[now - 1].actions if now else ():
        boxes[now, target] = _WRITTEN[len(sources)]
        for source in sources:
            # The input that is kept behind the working cells still stands in the first row.
            boxes[(0, source - trace.width) if source >= trace.width else (now - 1, source)] = _READ
    return boxes


def _letter_size(texts: list[str], width: int) -> float:
    """Points at which the longest text still fits its column of a figure seven inches wide."""
    longest = max(len(line) for text in texts for line in text.split("\n"))
    column = 0.86 * 7.0 * 72 / width
    # A letter is at most 0.66 of its height wide; the box needs about one more height.
    return float(np.clip(column / (0.66 * longest + 0.95), 4.5, 10.0))


def in_few_letters(cell: object) -> str:
    """Write the contents of a cell so that it fits: up to three digits, pairs on two lines, "abcdef" as "a–f".

    >>> in_few_letters(0.1 + 0.2), in_few_letters((0.5, 1.25)), in_few_letters("abcdefk"), in_few_letters("")
    ('0.3', '0.5\\n1.25', 'a–f k', 'ε')
    """
    if isinstance(cell, str):
        return _abridged(cell) or "ε"
    if isinstance(cell, tuple | list) or (isinstance(cell, np.ndarray) and cell.ndim):
        return "\n".join(in_few_letters(part) for part in cell)
    if isinstance(cell, float | np.floating):
        # The smaller, the fewer digits: 0.000244 would need as much room as three cells have.
        size = abs(cell)
        text = f"{cell:.3g}" if size == 0 or size >= 0.1 else f"{cell:.2g}" if size >= 1e-3 else f"{cell:.0e}"
        return text.replace("e-0", "e-").replace("e+0", "e").replace("-", "−")
    return str(cell).replace("-", "−")


def _abridged(text: str) -> str:
    """Four and more letters that follow one another as the first and the last."""
    runs: list[str] = []
    for letter in text:
        if runs and ord(letter) == ord(runs[-1][-1]) + 1:
            runs[-1] += letter
        else:
            runs.append(letter)
    if all(len(run) < 4 for run in runs):
        return text
    return " ".join(run if len(run) < 4 else f"{run[0]}–{run[-1]}" for run in runs)


def _in_words(trace: Trace, format: Callable[[object], str]) -> str:
    phases = list(dict.fromkeys(step.phase for step in trace.steps))
    first, last = (
        ", ".join(format(cell).replace("\n", " ") for cell in cells[: trace.length])
        for cells in (trace.initial, trace.steps[-1].cells if trace.steps else trace.initial)
    )
    plural = "s" if len(trace.steps) != 1 else ""
    return (
        f"{_name(trace)}, a scan of {trace.length} elements in {len(trace.steps)} step{plural}: {', '.join(phases)}. "
        f"Each step adds a row with the contents of all cells. Work {trace.work}, depth {trace.depth}. "
        f"The cells hold {first} at first and {last} at last."
    )
