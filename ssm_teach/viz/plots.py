"""Pictures that several chapters share. They draw what they are given: nothing is computed, seeded or saved here."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from ssm_teach.errors import choose
from ssm_teach.viz.style import COLORS

__all__ = ["plot_held", "plot_orders", "plot_poles", "plot_samples"]


def plot_samples(values, dt: float = 1.0, *, ax: Axes | None = None, **style) -> Axes:
    """Draw a sequence as what it is, points at kΔ on stems.

    Args:
        values: Real, shape (L,).
        dt: Step between them, s.
        style: Passed on to `Axes.plot` for the points, such as ``label`` and ``color``.
    """
    ax = _axes(ax)
    times = dt * np.arange(len(values))
    (points,) = ax.plot(times, values, **{"linestyle": "none", "marker": "o", **style})
    ax.vlines(times, 0.0, values, color=points.get_color(), linewidth=1.0, alpha=0.5)
    return ax


def plot_held(values, dt: float = 1.0, *, ax: Axes | None = None, **style) -> Axes:
    """Draw a sequence as a zero-order hold turns it into a signal: value k holds from kΔ to (k+1)Δ."""
    ax = _axes(ax)
    ax.stairs(values, dt * np.arange(len(values) + 1), baseline=None, **{"linewidth": 1.8, **style})
    return ax


def plot_poles(poles, plane: str = "z", *, ax: Axes | None = None, **style) -> Axes:
    """Draw poles in the complex plane over the shaded region in which they are stable.

    Args:
        poles: Complex, shape (N,).
        plane: ``"s"`` (continuous time: left half plane) or ``"z"`` (discrete time: unit disc).
        style: Passed on to `Axes.plot` for the poles.
    """
    choose("plot_poles", "plane", plane, ["s", "z"])
    ax = _axes(ax)
    poles = np.asarray(poles)
    ax.plot(
        poles.real, poles.imag, **{"linestyle": "none", "marker": "x", "markeredgewidth": 1.8, "zorder": 3, **style}
    )
    shade = {"facecolor": COLORS["sky"], "alpha": 0.15, "edgecolor": "none", "zorder": 0}
    if plane == "z":
        ax.add_patch(Circle((0, 0), 1.0, **shade))
        ax.add_patch(Circle((0, 0), 1.0, fill=False, edgecolor=COLORS["grey"], linewidth=1.0))
        ax.set_aspect("equal", adjustable="datalim")
    else:
        ax.axvspan(min(ax.get_xlim()[0], -1.0), 0.0, **shade)
        ax.axvline(0.0, color=COLORS["grey"], linewidth=1.0)
    ax.set(xlabel=f"Re {plane}", ylabel=f"Im {plane}")
    return ax


def plot_orders(steps, errors, *, orders=(1, 2), ax: Axes | None = None, **style) -> Axes:
    """Draw errors against steps, both logarithmic, beside lines of the slopes ``orders`` through the largest step.

    Args:
        steps: Step sizes, shape (n,).
        errors: Errors, shape (n,), or a mapping from a label to such a sequence.
        orders: Slopes to draw for comparison.
    """
    ax = _axes(ax)
    curves = errors if isinstance(errors, dict) else {None: errors}
    for label, curve in curves.items():
        ax.loglog(steps, curve, **{"marker": "o", "label": label, **style})
    steps = np.asarray(steps, dtype=float)
    start = max(np.max(np.asarray(curve, dtype=float)) for curve in curves.values())
    for order in orders:
        ax.loglog(steps, start * (steps / steps.max()) ** order, color=COLORS["grey"], linewidth=0.9, linestyle=":")
        end = (steps.min(), start * (steps.min() / steps.max()) ** order)
        ax.annotate(f"slope {order}", end, xytext=(8, -3), textcoords="offset points", va="top", color=COLORS["grey"])
    ax.set(xlabel="step Δ", ylabel="error")
    if any(label for label in curves):
        ax.legend()
    return ax


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt  # chooses a backend, so not before a picture is wanted

    return plt.subplots()[1]
