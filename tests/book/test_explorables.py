"""The explorables in a real browser: moved by keyboard, mouse and touch in the built book, and compared with Python."""

import json

import numpy as np
import pytest

from ssm_teach.discretize import discretize
from ssm_teach.viz import explorables
from ssm_teach.viz.explorables import module_source

pytestmark = [pytest.mark.book, pytest.mark.browser]

PAGES = {
    "discretization": "book/04-discretization.html",
    "wrap-around": "book/05-convolution.html",
    "landing": "book/index.html",
}
TOLERANCE = 1e-9
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


@pytest.fixture
def figure(open_page, site):
    """``figure("landing", **context_options)`` gives the moving figure in its page of the built book."""

    def opened(name, **options):
        page = open_page(**{"reduced_motion": "reduce", **options})
        page.goto(f"{site}/{PAGES[name]}")
        if options.get("java_script_enabled", True):  # formulas that are set late would move the figure under the mouse
            page.evaluate("window.MathJax?.startup?.promise.then(() => true)")
        return page.locator(f".x-{name}")

    return opened


def values(live):
    return json.loads(live.get_attribute("data-values"), object_hook=as_complex)


def as_complex(entry):
    return complex(entry["re"], entry["im"]) if set(entry) == {"re", "im"} else entry


def slider(live, name):
    return live.get_by_role("slider", name=name, exact=True)


def sentence(live):
    """The announced sentence, once it has had time to follow."""
    live.page.wait_for_timeout(250)
    return live.locator(".x-sentence").inner_text()


def check_discretization(shown):
    """Compare what the figure shows with ssm_teach.discretize, and return it."""
    alpha = shown["alpha"] if shown["method"] == "gbt" else None
    A_bar, B_bar = discretize(np.array([shown["pole"]]), np.ones(1), shown["delta"], shown["method"], alpha)
    assert shown["A_bar"] == pytest.approx(A_bar[0], abs=TOLERANCE)
    assert shown["B_bar"] == pytest.approx(B_bar[0], abs=TOLERANCE)
    assert shown["modulus"] == pytest.approx(abs(A_bar[0]), abs=TOLERANCE)
    assert shown["exact"] == pytest.approx(np.exp(shown["delta"] * shown["pole"]), abs=TOLERANCE)
    return shown


def check_wrap_around(shown):
    """Compare what the figure shows with NumPy's convolution and FFT, and return it."""
    u, K, size = np.array(shown["u"]), np.array(shown["K"]), shown["fft_length"]
    full = np.convolve(u, K)
    circular = np.fft.irfft(np.fft.rfft(u, size) * np.fft.rfft(K, size), size)
    wrong = np.abs(circular[: len(u)] - full[: len(u)])
    assert np.array(shown["circular"]) == pytest.approx(circular, abs=TOLERANCE)
    assert shown["error"] == pytest.approx(wrong.max(), abs=TOLERANCE)
    return shown


def test_discretization_moves_by_keyboard_and_agrees_with_python(figure):
    live = figure("discretization")
    first = check_discretization(values(live))
    said = sentence(live)
    slider(live, "step Δ").focus()
    reached = []
    for key in ["ArrowRight", "PageUp", "End", "Home", "PageUp", "PageUp", "ArrowLeft"]:
        live.page.keyboard.press(key)
        reached.append(check_discretization(values(live))["delta"])
    assert reached[0] > first["delta"]
    assert reached[1] > reached[0]
    assert reached[2:4] == [10, 0.001]
    assert reached[3] < reached[6] < reached[5]
    slider(live, "weight α").focus()
    for key, alpha in [("Home", 0), ("ArrowRight", 0.01), ("End", 1), ("ArrowLeft", 0.99)]:
        live.page.keyboard.press(key)
        assert check_discretization(values(live))["alpha"] == pytest.approx(alpha)
    assert sentence(live) != said
    assert "0.99" in sentence(live)
    live.get_by_role("radio", name="zero-order hold").focus()
    live.page.keyboard.press("Space")
    assert check_discretization(values(live))["method"] == "zoh"
    assert slider(live, "weight α").is_disabled()


def test_discretization_moves_by_mouse_and_by_exact_numbers(figure):
    live = figure("discretization")
    live.get_by_role("radio", name="oscillator").check()
    handle = live.locator(".x-handle")
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = check_discretization(values(live))["pole"]
    live.page.mouse.move(x, y)
    live.page.mouse.down()
    live.page.mouse.move(x - 60, y + 50, steps=5)
    live.page.mouse.up()
    after = check_discretization(values(live))["pole"]
    assert after.real < before.real - 0.5
    assert after.imag < before.imag - 0.5
    slider(live, "weight α").press("Home")
    live.get_by_role("button", name="Increase weight α").click()
    assert check_discretization(values(live))["alpha"] == pytest.approx(0.05)
    live.get_by_role("radio", name="S4D mode").check()
    field = live.get_by_role("spinbutton", name="step Δ, exact value")
    field.fill("0.0988")
    field.press("Enter")
    live.get_by_role("spinbutton", name="weight α, exact value").fill("0")
    field.focus()
    shown = check_discretization(values(live))
    assert (shown["delta"], shown["alpha"], shown["verdict"]) == (0.0988, 0, "stable")
    for typed, kept in [("0.099", 0.099), ("", 0.099), ("-3", 0.001), ("99", 10)]:
        field.fill(typed)
        field.press("Enter")
        assert check_discretization(values(live))["delta"] == kept


def test_wrap_around_moves_by_keyboard_and_mouse_and_agrees_with_numpy(figure):
    live = figure("wrap-around")
    length = check_wrap_around(values(live))["length"]
    slider(live, "zeros of padding").focus()
    seen = []
    for key, pad in [
        ("Home", 0),
        ("ArrowRight", 1),
        ("End", length),
        ("ArrowLeft", length - 1),
        ("ArrowLeft", length - 2),
    ]:
        live.page.keyboard.press(key)
        seen.append((check_wrap_around(values(live))["pad"], values(live)["wrapped"], sentence(live)))
        assert seen[-1][0] == pad
    assert [wrapped for _, wrapped, _ in seen] == [length - 1, length - 2, 0, 0, 1]
    assert len({said for _, _, said in seen}) == 5
    live.get_by_role("radio", name="pulse at the end").check()
    slider(live, "kernel K = ρᵏ, decay ρ").press("Home")
    assert check_wrap_around(values(live))["K"][1] == 0.5
    box = live.locator(".x-handle").bounding_box()
    live.page.mouse.move(box["x"] + 22, box["y"] + 22)
    live.page.mouse.down()
    live.page.mouse.move(box["x"] - 80, box["y"] + 22, steps=4)
    live.page.mouse.up()
    assert check_wrap_around(values(live))["pad"] < length - 8


@pytest.mark.parametrize(("name", "dragged"), [("discretization", "pole"), ("wrap-around", "pad")])
def test_a_finger_drags_and_taps(figure, name, dragged):
    check = {"discretization": check_discretization, "wrap-around": check_wrap_around}[name]
    live = figure(name, **PHONE)
    handle = live.locator(".x-handle")
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    before = check(values(live))[dragged]
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch(
        live.page,
        [(x, y), (x - 15, y), (x - 30, y)] if name == "discretization" else [(x, y), (x + 20, y), (x + 60, y)],
    )
    wait_for(live, lambda shown: check(shown)[dragged] != before)
    key, control = ("alpha", "weight α") if name == "discretization" else ("pad", "zeros of padding")
    before = values(live)[key]
    live.get_by_role("button", name=f"Increase {control}").tap()
    wait_for(live, lambda shown: check(shown)[key] > before)
    slider(live, control).tap(position={"x": 8, "y": 20})
    wait_for(live, lambda shown: check(shown)[key] <= (0.05 if key == "alpha" else 1))


def wait_for(live, condition):
    """Wait until the shown values meet a condition: a tap becomes a click a moment later."""
    for _ in range(50):
        if condition(values(live)):
            return
        live.page.wait_for_timeout(100)
    raise AssertionError(f"not reached within five seconds; shown: {values(live)}")


def touch(page, points):
    """Drag one finger along the points and let it rest: lifted in motion it flings, which eats the next tap."""
    session = page.context.new_cdp_session(page)
    kinds = ["touchStart"] + ["touchMove"] * (len(points) - 1)
    for kind, (x, y) in zip(kinds, points, strict=True):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    page.wait_for_timeout(400)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


@pytest.mark.parametrize("name", PAGES)
def test_on_a_phone_targets_are_wide_enough_for_a_finger_and_nothing_overflows(figure, name):
    live = figure(name, **PHONE)
    for target in live.locator("button, input[type=number], input[type=range], .x-bar label, summary").all():
        if target.is_visible():
            assert target.bounding_box()["height"] >= 44
    for button in live.locator("button").all():
        assert not button.is_visible() or button.bounding_box()["width"] >= 44
    card = live.bounding_box()
    assert card["x"] >= 0
    assert card["x"] + card["width"] <= 360
    assert live.evaluate("node => node.scrollWidth <= node.clientWidth")


def test_landing_stands_still_where_motion_is_not_wanted_and_steps_by_hand(figure):
    live = figure("landing")
    first = values(live)["sample"]
    live.page.wait_for_timeout(500)
    assert values(live)["sample"] == first
    live.get_by_role("button", name="Step", exact=True).click()
    assert values(live)["sample"] == first + 1
    live.get_by_role("button", name="Back").click()
    assert values(live)["sample"] == first
    for key, sample in [("End", 199), ("Home", 0), ("ArrowRight", 1)]:
        slider(live, "sample k").press(key)
        assert values(live)["sample"] == sample
    for _ in range(5):
        slider(live, "sample k").press("PageUp")
        shown = values(live)
        assert shown["recurrence"] == pytest.approx(landing_output(shown), abs=TOLERANCE)
        assert shown["convolution"] == pytest.approx(landing_output(shown), abs=TOLERANCE)


def landing_output(shown):
    """The output at a sample, from the states that the figure shows and the weights of its modes."""
    return sum(2 * C * x.real for C, x in zip([0.12, 0.6, 0.5, 0.3], shown["state"], strict=True))


def test_landing_plays_where_motion_is_welcome_and_can_be_paused(figure):
    live = figure("landing", reduced_motion="no-preference")
    live.scroll_into_view_if_needed()
    first = values(live)["sample"]
    caption = sentence(live)
    live.page.wait_for_function(
        f"() => JSON.parse(document.querySelector('.x-landing').dataset.values).sample != {first}"
    )
    assert sentence(live) == caption
    live.get_by_role("button", name="Pause").click()
    stopped = values(live)["sample"]
    live.page.wait_for_timeout(400)
    assert values(live)["sample"] == stopped
    assert f"Sample {stopped + 1} of 200" in sentence(live)


@pytest.mark.parametrize("name", PAGES)
def test_still_picture_stands_in_without_javascript_and_on_paper(figure, name):
    live = figure(name, java_script_enabled=False)
    still = live.page.locator(f'[data-explorable="{name}"] .x-still')
    picture = still.locator(".x-picture").filter(visible=True)
    assert picture.bounding_box()["height"] > 200
    assert len(picture.get_attribute("aria-label")) > 40
    assert live.count() == 0
    live = figure(name)
    still = live.page.locator(f'[data-explorable="{name}"] .x-still')
    assert (still.is_visible(), live.is_visible()) == (False, True)
    live.page.emulate_media(media="print")
    assert (still.is_visible(), live.is_visible()) == (True, False)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(figure, name, theme):
    from axe_playwright_python.sync_playwright import Axe

    live = figure(name)
    live.page.evaluate("theme => (document.documentElement.dataset.theme = theme)", theme)
    live.locator("summary").click()
    # With preload axe fetches style sheets again, and looks for their imports in the wrong folder.
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "preload": False}
    report = Axe().run(live.page, context=f'[data-explorable="{name}"]', options=options).response
    assert [(found["id"], found["nodes"][0]["html"]) for found in report["violations"]] == []
    table = live.locator(".x-table tr")
    assert table.count() >= 5
    assert all(len(row.inner_text().split("\t")) == 2 for row in table.all())


HARNESS = """
async ([source, states]) => {
  const { default: explorable } = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  window.models = states.map((state) => {
    const heard = new Map();
    const model = {
      state,
      saved: 0,
      listeners: () => [...heard.values()].reduce((count, calls) => count + calls.size, 0),
      get: (key) => model.state[key],
      set: (key, value) => {
        if (model.state[key] === value) return;
        model.state[key] = value;
        (heard.get(`change:${key}`) ?? []).forEach((call) => call());
      },
      on: (event, call) => heard.set(event, (heard.get(event) ?? new Set()).add(call)),
      off: (event, call) => heard.get(event)?.delete(call),
      save_changes: () => (model.saved += 1),
    };
    const el = document.body.appendChild(document.createElement("main"));
    model.cleanup = explorable.render({ model, el });
    return model;
  });
}
"""


@pytest.mark.parametrize("explorable", explorables.every(), ids=lambda explorable: explorable.name)
def test_live_host_keeps_two_views_apart_follows_the_model_and_is_cleaned_up(browser, explorable):
    page = browser.new_page(reduced_motion="no-preference")
    mistakes = []
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.set_content('<!doctype html><html lang="en"><title>host</title><body>')
    page.add_style_tag(content=explorable._css)
    page.evaluate(HARNESS, [module_source(explorable.name), [explorable.state(), explorable.state()]])
    first, second = page.locator(".x-live").all()
    key, value = {"discretization": ("delta", 0.25), "wrap-around": ("pad", 3), "landing": ("delta", 0.1)}[
        explorable.name
    ]
    page.evaluate("([key, value]) => models[0].set(key, value)", [key, value])
    assert values(first)[key] == value
    assert values(second)[key] == explorable.state()[key]
    second.get_by_role("slider").last.press("End")
    assert page.evaluate("[models[0].saved, models[1].saved > 0]") == [0, True]
    page.evaluate("models.forEach((model) => model.cleanup())")
    assert page.evaluate("models.map((model) => model.listeners())") == [0, 0]
    assert page.locator(".x-live").count() == 0
    if explorable.name == "landing":
        sample = page.evaluate("models[0].state.sample")
        page.wait_for_timeout(300)
        assert page.evaluate("models[0].state.sample") == sample
    assert mistakes == []
    page.close()


def test_two_static_figures_on_one_page_move_apart(browser, monkeypatch):
    monkeypatch.setenv("SSM_TEACH_STATIC", "1")
    both = [explorables.WrapAround(pad=2).static_html(), explorables.WrapAround(pad=5).static_html()]
    page = browser.new_page(reduced_motion="reduce")
    page.set_content(f'<!doctype html><html lang="en"><title>two</title><body>{"".join(both)}')
    first, second = page.locator(".x-live").all()
    assert (values(first)["pad"], values(second)["pad"]) == (2, 5)
    slider(first, "zeros of padding").press("End")
    first.get_by_role("radio", name="noise").check()
    assert (values(first)["pad"], values(second)["pad"]) == (32, 5)
    assert second.get_by_role("radio", name="ramp").is_checked()
    page.close()
