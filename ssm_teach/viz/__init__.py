"""Pictures: one style, a few general plots, animations that need no network, sliders, and the explorables.

>>> from ssm_teach import viz
>>> viz.use_style()
>>> viz.COLORS["blue"]
'#0072B2'
"""

import importlib

from ssm_teach.viz.animation import animation
from ssm_teach.viz.interactive import interact
from ssm_teach.viz.plots import plot_held, plot_orders, plot_poles, plot_samples
from ssm_teach.viz.scans import animate_scan, plot_scan_network
from ssm_teach.viz.style import COLORS, use_style

__all__ = [
    "COLORS",
    "animate_scan",
    "animation",
    "explorables",
    "interact",
    "plot_held",
    "plot_orders",
    "plot_poles",
    "plot_samples",
    "plot_scan_network",
    "use_style",
]


def __getattr__(name: str):
    # Imported when asked for, so that plots work where anywidget is missing.
    if name == "explorables":
        return importlib.import_module("ssm_teach.viz.explorables")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
