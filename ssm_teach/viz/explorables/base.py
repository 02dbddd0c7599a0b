"""What every explorable has: one JavaScript module, its state as traits, and two hosts.

In a live notebook an explorable is an anywidget: move it and read ``figure.delta``, set ``figure.delta`` and it moves.
In the rendered book (``SSM_TEACH_STATIC=1``) the same module stands in the page with a small model in place of the
kernel, and a still picture that shows without JavaScript and in print. Nothing is fetched from anywhere.
"""

import json
import os
from pathlib import Path
from typing import ClassVar

import anywidget

from .join import join

__all__ = ["Explorable", "module_source"]

_HERE = Path(__file__).parent


def module_source(name: str) -> str:
    """Return the joined ES module of the explorable ``name``."""
    return join(_HERE / f"{name}.js")


def _is_static() -> bool:
    return os.environ.get("SSM_TEACH_STATIC") == "1"


class Explorable(anywidget.AnyWidget):
    """A figure to move, computed in the browser. Subclasses give ``name``, ``keys_shown`` and a trait a key."""

    name: ClassVar[str]
    keys_shown: ClassVar[tuple[str, ...]]
    pictured: ClassVar[dict[str, dict]] = {}  # arguments of further states that have a still picture of their own
    _css = (_HERE / "explorables.css").read_text(encoding="utf-8")

    def __init_subclass__(cls, **options):
        # anywidget derives once more for every instance, with _esm a trait by then: that one must not be replaced.
        if "name" in cls.__dict__:
            cls._esm = module_source(cls.name)
        super().__init_subclass__(**options)

    def open(self) -> None:
        """Talk to the notebook, except in the book build, whose pages have no kernel to talk to."""
        if not _is_static():
            super().open()

    def state(self) -> dict:
        """Return the values of the controls, as the browser starts with them."""
        return {key: getattr(self, key) for key in self.keys_shown}

    def _repr_mimebundle_(self, **options):
        if _is_static():
            return {"text/html": self.static_html(), "text/plain": f"Explorable: {self.name}"}
        return super()._repr_mimebundle_(**options)

    def static_html(self) -> str:
        """Return the explorable as a piece of a page: still picture, style, module and state."""
        script = _safe_in_script(self._esm + _HOST.replace("NAME", json.dumps(self.name)))
        return (
            f'<div class="ssm-explorable" data-explorable="{self.name}" data-state="{_attribute(self.state())}">\n'
            f"<style>{self._css}</style>\n"
            f'<div class="x-still">{self.still("wide")}{self.still("narrow")}\n{_NOTE}</div>\n'
            f'<script type="module">\n{script}</script>\n</div>'
        )

    def still(self, width: str) -> str:
        """Return the still picture, SVG, for a ``wide`` page or a ``narrow`` one, of this state or else the first."""
        own = [f".{name}" for name, given in self.pictured.items() if type(self)(**given).state() == self.state()]
        return (_HERE / f"{self.name}{''.join(own[:1])}.{width}.svg").read_text(encoding="utf-8").strip()


_NOTE = (
    '<p class="x-note">This is a still picture of a figure that moves: open the page with JavaScript to move it.</p>'
)

# Module scripts run in the order of the page, so each takes the first figure of its name that nobody has taken yet:
# two explorables on a page need no ids.
_HOST = """
const startInPage = (name) => {
  const host = document.querySelector(`.ssm-explorable[data-explorable="${name}"]:not([data-started])`);
  host.dataset.started = "";
  const state = JSON.parse(host.dataset.state);
  const heard = {};
  const model = {
    get: (key) => state[key],
    set: (key, value) => {
      if (state[key] === value) return;
      state[key] = value;
      (heard[`change:${key}`] ?? []).forEach((call) => call());
    },
    on: (event, call) => (heard[event] ??= []).push(call),
    off: (event, call) => (heard[event] = (heard[event] ?? []).filter((other) => other !== call)),
    save_changes: () => {},
  };
  render({ model, el: host });
  host.querySelector(".x-still").classList.add("x-replaced");
};

startInPage(NAME);
"""


def _safe_in_script(source: str) -> str:
    """Keep the page's parser inside the script: in JavaScript strings ``<\\/script`` and ``</script`` are the same."""
    return source.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _attribute(state: dict) -> str:
    text = json.dumps(state, ensure_ascii=False, sort_keys=True)
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
