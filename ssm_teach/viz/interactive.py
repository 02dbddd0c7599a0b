"""Sliders that run the reader's own Python again, with a still result on a page that has no kernel behind it."""

import html
import inspect
import os
from collections.abc import Callable

import ipywidgets
from IPython.display import HTML, display
from ipywidgets.widgets.interaction import show_inline_matplotlib_plots

from ssm_teach.errors import choose, require

__all__ = ["interact"]


def interact(function: Callable, **controls) -> None:
    """Call ``function`` again whenever a control is moved; on a static page, once, with where the controls start.

    Args:
        function: Draws or displays something; takes one keyword argument per control.
        controls: A widget such as ``FloatSlider(value=0.1, min=0.01, max=1, description="Δ")``, or one of ipywidgets'
            abbreviations: ``(low, high)``, ``(low, high, step)``, a list of choices, True or False, a text. An
            abbreviation starts at the function's own default where it has one.
    Raises:
        UserError: If the function has no argument of a control's name, or a control is none of the above.
    """
    widgets = _widgets(function, controls)
    if os.environ.get("SSM_TEACH_STATIC") != "1":
        ipywidgets.interact(function, **widgets)
        return
    result = function(**{name: widget.value for name, widget in widgets.items()})
    show_inline_matplotlib_plots()
    if result is not None:
        display(result)
    display(HTML(_note(widgets)))


def _widgets(function: Callable, controls: dict) -> dict[str, ipywidgets.Widget]:
    """Make every control a widget that waits until it is let go: the reader's code may take a while."""
    parameters = inspect.signature(function).parameters
    widgets = {}
    for name, control in controls.items():
        choose("interact", "control", name, parameters)
        if not isinstance(control, ipywidgets.Widget):
            control = ipywidgets.interactive.widget_from_abbrev(control, parameters[name].default)
        require(
            isinstance(control, ipywidgets.ValueWidget),
            f"interact: control {name!r} is not something to move; give (low, high), a list or a slider",
        )
        control.description = control.description or name
        control.style.description_width = "initial"
        if control.has_trait("continuous_update"):
            control.continuous_update = False
        widgets[name] = control
    return widgets


def _note(widgets: dict[str, ipywidgets.Widget]) -> str:
    settings = html.escape("; ".join(_in_words(widget) for widget in widgets.values()))
    one = len(widgets) == 1
    return (
        f'<p class="ssm-still"><em>In a live notebook {"this is a control" if one else "these are controls"} '
        f"you can move: {settings}.</em></p>"
    )


def _in_words(widget: ipywidgets.Widget) -> str:
    words = f"{widget.description} = {_short(widget.value)}"
    if isinstance(widget, ipywidgets.FloatLogSlider):
        return f"{words}, from {_short(widget.base**widget.min)} to {_short(widget.base**widget.max)}"
    if widget.has_trait("min"):
        return f"{words}, from {_short(widget.min)} to {_short(widget.max)}"
    if widget.has_trait("options"):
        return f"{words}, one of {', '.join(str(label) for label in widget._options_labels)}"
    return words


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
