"""Matplotlib animations as one self-contained, accessible piece of HTML.

Matplotlib's own `to_jshtml` loads an icon font from another host, has no text alternative and an unlabelled slider, and
starts whether or not the reader wants motion. This one asks no host for anything, is labelled and works by keyboard. It
plays once, when it comes into view, and only where the reader's system does not ask for reduced motion. Without
scripts, and in print, the last frame stands still.
"""

import base64
import hashlib
import html
import io
import json
from collections.abc import Callable

import matplotlib as mpl
import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.animation import AbstractMovieWriter, Animation
from PIL import Image

from ssm_teach.errors import require

__all__ = ["animation"]


def animation(anim: Animation | Callable[[], Animation], *, alt: str, fps: float = 10.0, dpi: float = 110.0) -> HTML:
    """Show a matplotlib animation on the page.

    Args:
        anim: A finite `FuncAnimation` or `ArtistAnimation`, or a function without arguments that makes one.
        alt: What a reader who does not see it should know, in a sentence or two.
        fps: Frames per second.
        dpi: Dots per inch of each frame.
    Returns: HTML with the frames inside. The figure is closed.
    Raises:
        UserError: If there is no text alternative.
    """
    require(
        isinstance(alt, str) and bool(alt.strip()), f"animation: alt must say what the animation shows; got {alt!r}"
    )
    require(fps > 0, f"animation: fps must be positive; got {fps}")
    anim = anim if isinstance(anim, Animation) else anim()
    writer = _Frames(fps=fps)
    # A frame that is cropped to its own contents would make the picture jump.
    with mpl.rc_context({"savefig.bbox": None}):
        anim.save("", writer=writer, dpi=dpi)
    plt.close(anim._fig)
    return HTML(_page(writer.frames, alt, fps))


class _Frames(AbstractMovieWriter):
    """Keep the frames in memory, as PNG of at most 128 colours: a third of the size, and the same bytes every time."""

    def setup(self, fig, outfile, dpi=None):
        self.fig, self.dpi, self.frames = fig, dpi, []

    def grab_frame(self, **savefig_kwargs):
        pixels, file = io.BytesIO(), io.BytesIO()
        self.fig.savefig(pixels, format="png", dpi=self.dpi, **savefig_kwargs)
        frame = Image.open(pixels).convert("RGB").quantize(128, dither=Image.Dither.NONE)
        frame.save(file, format="png", optimize=True)
        self.frames.append(base64.b64encode(file.getvalue()).decode())

    def finish(self):
        pass


_BUTTON = (
    "min-width:2.4em;min-height:2.2em;font:inherit;color:inherit;background:none;border:1px solid;border-radius:.3em"
)
_SLIDER = "flex:1;min-width:8em;min-height:2em"


def _page(frames: list[str], alt: str, fps: float) -> str:
    name = hashlib.sha256("".join([alt, str(fps), *frames]).encode()).hexdigest()[:12]
    last = len(frames) - 1
    button = f'<button type="button" style="{_BUTTON}" class='
    return f"""<div class="ssm-animation" data-animation="{name}">
<img alt="{html.escape(alt)}" src="data:image/png;base64,{frames[-1]}" style="max-width:100%;background:#fff">
<div role="group" aria-label="Animation" style="display:flex;flex-wrap:wrap;gap:.5em;align-items:center;max-width:40em">
{button}"ssm-play" aria-label="Play">▶</button>
{button}"ssm-back" aria-label="One frame back">−</button>
{button}"ssm-forward" aria-label="One frame forward">+</button>
<input type="range" class="ssm-frame" aria-label="Frame" min="0" max="{last}" value="{last}" style="{_SLIDER}">
<output aria-live="off" style="font-variant-numeric:tabular-nums">{len(frames)} / {len(frames)}</output>
</div>
<script>{_SCRIPT % {"name": name, "frames": json.dumps(frames), "pause": json.dumps(1000 / fps)}}</script>
</div>"""


# Finds its place by the hash of its contents; the same animation twice on a page is two independent ones.
_SCRIPT = """(() => {
const frames = %(frames)s;
const start = (root) => {
  root.dataset.ready = "yes";
  const find = (selector) => root.querySelector(selector);
  const image = find("img"), play = find(".ssm-play"), slider = find(".ssm-frame"), output = find("output");
  const last = frames.length - 1;
  let now = last, timer = null;
  const show = (frame) => {
    now = Math.min(Math.max(frame, 0), last);
    image.src = "data:image/png;base64," + frames[now];
    slider.value = now;
    slider.setAttribute("aria-valuetext", `frame ${now + 1} of ${frames.length}`);
    output.textContent = `${now + 1} / ${frames.length}`;
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶";
    play.setAttribute("aria-label", "Play");
  };
  const run = () => {
    if (now === last) show(0);
    play.textContent = "❚❚";
    play.setAttribute("aria-label", "Pause");
    timer = setInterval(() => {
      if (!root.isConnected || now === last) return stop();
      show(now + 1);
    }, %(pause)s);
  };
  play.addEventListener("click", () => (timer === null ? run() : stop()));
  find(".ssm-back").addEventListener("click", () => { stop(); show(now - 1); });
  find(".ssm-forward").addEventListener("click", () => { stop(); show(now + 1); });
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  show(last);
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const watcher = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watcher.disconnect();
    if (timer === null && now === last) run();
  }, { threshold: 0.6 });
  watcher.observe(image);
};
document.querySelectorAll('[data-animation="%(name)s"]:not([data-ready])').forEach(start);
})();"""
