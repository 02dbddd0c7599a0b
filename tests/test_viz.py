"""Pictures: readable colours, the same bytes twice, sliders with a still, animations that need no other host."""

import io
import itertools
import json
import os
import subprocess
import sys
from html.parser import HTMLParser

import ipywidgets
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.animation import FuncAnimation
from matplotlib.colors import to_rgb

from ssm_teach import viz
from ssm_teach.errors import UserError


@pytest.fixture(autouse=True)
def book_style():
    with mpl.rc_context():
        viz.use_style()
        yield
        plt.close("all")


# Style.


def linear(colour):
    """Undo the sRGB transfer curve."""
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """Contrast ratio of WCAG 2.1."""
    bright, dark = sorted((linear(c) @ [0.2126, 0.7152, 0.0722] + 0.05 for c in (one, other)), reverse=True)
    return bright / dark


# Viénot, Brettel and Mollon (1999), as matrices on linear RGB: what a dichromat without red or green cones sees.
DICHROMATS = {
    "protan": np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]]),
    "deutan": np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]]),
    "all cones": np.eye(3),
}


def lab(rgb):
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
    f = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


CYCLE = ("blue", "vermillion", "green", "purple", "orange", "sky")


@pytest.mark.parametrize("name", [*CYCLE, "ink", "grey"])
def test_lines_stand_out_from_the_paper(name):
    assert contrast(viz.COLORS[name], viz.COLORS["paper"]) >= 3


def test_text_is_readable_on_the_paper():
    for key in ("text.color", "axes.labelcolor", "xtick.color", "ytick.color"):
        assert contrast(mpl.rcParams[key], mpl.rcParams["figure.facecolor"]) >= 7


@pytest.mark.parametrize("eyes", DICHROMATS)
def test_the_first_four_colours_differ_for_every_eye(eyes):
    seen = [lab(np.clip(DICHROMATS[eyes] @ linear(viz.COLORS[name]), 0, 1)) for name in CYCLE[:4]]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 15


def test_no_two_lines_differ_by_colour_alone():
    cycle = list(mpl.rcParams["axes.prop_cycle"])
    assert len({str(entry["linestyle"]) for entry in cycle}) == len({entry["color"] for entry in cycle}) == len(CYCLE)


def test_fonts_ship_with_matplotlib():
    path = mpl.font_manager.findfont(mpl.rcParams["font.family"][0], fallback_to_default=False)
    assert path.startswith(mpl.get_data_path())


def test_a_figure_is_the_same_file_twice():
    def picture():
        fig, ax = plt.subplots()
        ax.plot(np.arange(5.0), label=r"$\bar A$")
        ax.legend()
        file = io.BytesIO()
        fig.savefig(file, format="svg", metadata={"Date": None})
        return file.getvalue()

    assert picture() == picture()


def test_plots_do_without_anywidget():
    code = (
        "import sys; sys.modules['anywidget'] = None; from ssm_teach import viz; viz.use_style(); viz.plot_held([1, 2])"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "MPLBACKEND": "agg"})


# Plots.


def test_samples_are_drawn_at_multiples_of_the_step():
    ax = viz.plot_samples([3.0, 1.0, 2.0], 0.5)
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[0, 3], [0.5, 1], [1, 2]])


def test_a_held_value_lasts_one_step():
    ax = viz.plot_held([3.0, 1.0], 0.5)
    values, edges, _ = ax.patches[0].get_data()
    assert list(values) == [3, 1]
    assert list(edges) == [0, 0.5, 1]


@pytest.mark.parametrize(("plane", "inside", "outside"), [("z", 0.9j, 1.1), ("s", -0.1 + 2j, 0.1)])
def test_the_shaded_region_is_the_stable_one(plane, inside, outside):
    ax = viz.plot_poles([inside, outside], plane)
    ax.figure.canvas.draw()
    shade = ax.patches[0]
    contains = [
        shade.contains_point(ax.transData.transform((p.real, p.imag))) for p in (complex(inside), complex(outside))
    ]
    assert contains == [True, False]


def test_slope_guides_have_the_slope_they_name():
    steps = np.array([0.1, 0.05, 0.025])
    ax = viz.plot_orders(steps, {"Euler": 3 * steps}, orders=(1, 2))
    slopes = [np.polyfit(*np.log(line.get_xydata().T), 1)[0] for line in ax.lines]
    np.testing.assert_allclose(slopes, [1, 1, 2])


def test_plots_draw_where_they_are_told():
    fig, ax = plt.subplots()
    for plot in (viz.plot_samples, viz.plot_held, viz.plot_poles):
        assert plot([0.5], ax=ax) is ax
    assert plt.get_fignums() == [fig.number]


# Sliders.


@pytest.fixture
def displayed(monkeypatch):
    shown = []
    monkeypatch.setattr("ssm_teach.viz.interactive.display", shown.append)
    return shown


def test_a_static_page_shows_the_result_at_the_starting_values(monkeypatch, displayed):
    monkeypatch.setenv("SSM_TEACH_STATIC", "1")
    calls = []

    def show(dt, method, k=2):
        calls.append((dt, method, k))
        return "drawn"

    log = ipywidgets.FloatLogSlider(value=0.1, min=-3, max=0, description="Δ")
    assert viz.interact(show, dt=log, method=["zoh", "bilinear"], k=(0, 5)) is None
    assert calls == [(0.1, "zoh", 2)]
    result, note = displayed
    assert result == "drawn"
    assert "Δ = 0.1, from 0.001 to 1; method = zoh, one of zoh, bilinear; k = 2, from 0 to 5" in note.data


def test_a_live_notebook_gets_labelled_controls_that_wait(monkeypatch):
    monkeypatch.delenv("SSM_TEACH_STATIC", raising=False)
    given = {}
    monkeypatch.setattr(ipywidgets, "interact", lambda function, **controls: given.update(controls))
    viz.interact(lambda dt, on, k: None, dt=(0.0, 1.0), on=True, k=ipywidgets.IntSlider(3, description="order"))
    assert [widget.description for widget in given.values()] == ["dt", "on", "order"]
    assert given["dt"].continuous_update is given["k"].continuous_update is False


def test_what_cannot_be_moved_is_one_sentence():
    with pytest.raises(UserError, match=r"interact: unknown control 'stp'; choose one of step \(did you mean step\?\)"):
        viz.interact(lambda step: None, stp=(0, 1))
    with pytest.raises(UserError, match="interact: control 'dt' is not something to move"):
        viz.interact(lambda dt: None, dt=object())


# Animations.


def moving():
    fig, ax = plt.subplots(figsize=(3, 2))
    (line,) = ax.plot([], [])
    ax.set(xlim=(0, 5), ylim=(0, 5))
    return FuncAnimation(fig, lambda k: line.set_data([0, k], [0, k]), frames=4)


class Elements(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found, self.script, self._inside = [], "", False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self._inside = tag == "script"

    def handle_data(self, data):
        if self._inside:
            self.script += data

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def page():
    with mpl.rc_context():
        viz.use_style()
        return viz.animation(moving, alt='A line <grows> & "turns".', fps=2).data


def test_an_animation_has_a_text_alternative(page):
    (image,) = Elements(page).all("img")
    assert image["alt"] == 'A line <grows> & "turns".'


def test_every_control_of_an_animation_has_a_name(page):
    elements = Elements(page)
    controls = elements.all("button") + elements.all("input")
    assert len(controls) == 4
    assert all(control["aria-label"] for control in controls)
    assert all(button["type"] == "button" for button in elements.all("button"))


def test_an_animation_asks_no_host_for_anything(page):
    assert "http" not in page
    assert not Elements(page).all("link")
    assert all(attributes.get("src", "data:").startswith("data:") for _, attributes in Elements(page).found)


def test_an_animation_has_no_ids_that_could_clash(page):
    assert not any("id" in attributes for _, attributes in Elements(page).found)


def test_an_animation_stands_still_where_motion_is_not_wanted(page):
    script = Elements(page).script
    assert script.index("prefers-reduced-motion") < script.index("IntersectionObserver")


def test_an_animation_holds_every_frame_once_and_rests_on_the_last(page):
    elements = Elements(page)
    frames = json.loads(elements.script.split("const frames = ")[1].split(";\n")[0])
    assert len(set(frames)) == 4
    assert elements.all("img")[0]["src"].endswith(frames[-1])


def test_an_animation_is_the_same_bytes_twice(page):
    viz.use_style()
    assert viz.animation(moving(), alt='A line <grows> & "turns".', fps=2).data == page


def test_an_animation_closes_its_figure(page):
    viz.animation(moving, alt="A line.")
    assert plt.get_fignums() == []


@pytest.mark.parametrize("alt", ["", "  ", None])
def test_an_animation_without_alternative_is_refused(alt):
    with pytest.raises(UserError, match="animation: alt must say"):
        viz.animation(moving, alt=alt)


@pytest.mark.browser
def test_an_animation_works_by_keyboard_and_passes_axe(browser, page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    body = f"<!doctype html><html lang='en'><title>x</title><main><h1>x</h1>{page}{page}</main></html>"
    tab = browser.new_page(reduced_motion="reduce")
    tab.set_content(body)
    tab.wait_for_timeout(500)
    counts = tab.locator("output")
    assert counts.all_text_contents() == ["4 / 4", "4 / 4"]
    tab.locator(".ssm-frame").first.focus()
    tab.keyboard.press("Home")
    tab.keyboard.press("ArrowRight")
    assert counts.all_text_contents() == ["2 / 4", "4 / 4"]
    tab.locator(".ssm-play").first.focus()
    tab.keyboard.press("Space")
    tab.wait_for_function("document.querySelector('output').textContent === '4 / 4'")
    assert axe.Axe().run(tab).response["violations"] == []
    tab.close()
    tab = browser.new_page(reduced_motion="no-preference")
    tab.set_content(body)
    tab.wait_for_function("document.querySelector('output').textContent === '2 / 4'", polling=50)
    tab.close()
