"""One look for every figure of the book.

Colours come from Okabe and Ito (2008), with the light ones darkened until each has a contrast of 3:1 against the paper,
so that thin lines are visible too. Line styles change together with colours: no meaning hangs on a colour alone.
Figures bring their own white paper, so they are the same on a light and on a dark page.
"""

import matplotlib as mpl
from cycler import cycler

__all__ = ["COLORS", "use_style"]

COLORS = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#008A64",
    "purple": "#B0578F",
    "orange": "#B97700",
    "sky": "#2C93D1",
    "ink": "#1F2430",
    "grey": "#6B7280",
    "grid": "#D9DCE1",
    "paper": "#FFFFFF",
}

_CYCLE = ("blue", "vermillion", "green", "purple", "orange", "sky")
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))

_STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": COLORS["grey"],
    "axes.facecolor": COLORS["paper"],
    "axes.grid": True,
    "axes.labelcolor": COLORS["ink"],
    "axes.prop_cycle": cycler(color=[COLORS[name] for name in _CYCLE], linestyle=_LINES),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "figure.facecolor": COLORS["paper"],
    "figure.figsize": (7.0, 3.2),
    # Both ship with matplotlib, so every machine draws the same letters; Computer Modern matches the page's formulas.
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "cm",
    "font.size": 10.0,
    "grid.color": COLORS["grid"],
    "grid.linewidth": 0.7,
    "image.cmap": "viridis",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.0,
    "savefig.facecolor": COLORS["paper"],
    "svg.fonttype": "path",
    # Without a fixed salt every run would draw the ids of an SVG anew, and no file would be the same twice.
    "svg.hashsalt": "ssm_teach",
    "text.color": COLORS["ink"],
    "xtick.color": COLORS["ink"],
    "ytick.color": COLORS["ink"],
}


def use_style() -> None:
    """Set the book's style; the first cell of every chapter calls it. In a notebook figures become SVG, undated."""
    mpl.rcParams.update(_STYLE)
    from IPython import get_ipython

    if get_ipython() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None})
