"""S4D against routes that share no code with it: dense matrices, SciPy, and the HiPPO matrix itself."""

import itertools
import math

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_teach.errors import UserError
from ssm_teach.layers import S4D
from ssm_teach.layers.s4d import INITS, METHODS, frequency_weights, initial_A
from ssm_teach.ops._backends import VARIABLE

every_kind = pytest.mark.parametrize(("init", "method"), list(itertools.product(INITS, METHODS)))


def build(init, method, d=2, N=4, **options):
    """A layer with B and D away from their starting value 1."""
    torch.manual_seed(0)
    layer = S4D(d, N, init=init, method=method, dt_min=0.02, dt_max=2.0, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter in (layer.B, layer.D):
            parameter.add_(0.5 * torch.randn_like(parameter))
    return layer


def dense_system(layer, channel):
    """One channel as a real dense discrete system, from the raw parameters: a complex mode is a 2×2 rotation block."""
    p = {name: value.detach().numpy()[channel] for name, value in layer.named_parameters()}
    dt, real = np.exp(p["log_dt"]), -np.exp(p["log_neg_real"])
    if "imag" in p:
        A = scipy.linalg.block_diag(*[[[re, -im], [im, re]] for re, im in zip(real, p["imag"], strict=True)])
        B = p["B"].reshape(-1)
        C = 2 * (p["C"] * [1, -1]).reshape(-1)  # 2 Re(c x) = 2 (Re c Re x − Im c Im x)
    else:
        A, B, C = np.diag(real), p["B"], p["C"]
    identity = np.eye(len(A))
    if layer.method == "zoh":
        step = scipy.linalg.expm(dt * np.block([[A, B[:, None]], [np.zeros((1, len(A) + 1))]]))
        return step[:-1, :-1], step[:-1, -1], C
    inverse = np.linalg.inv(identity - dt / 2 * A)
    return inverse @ (identity + dt / 2 * A), inverse @ B * dt, C


def hankel_singular_values(a, b, c):
    """Of x' = diag(a) x + b u, y = c x, from the closed-form Gramians."""
    P = -np.outer(b, b.conj()) / (a[:, None] + a.conj())
    Q = -np.outer(c.conj(), c) / (a.conj()[:, None] + a)
    return np.sqrt(np.abs(np.sort(np.linalg.eigvals(P @ Q).real)[::-1]))


@every_kind
def test_kernel_is_C_times_dense_matrix_powers_times_B(init, method):
    layer, L = build(init, method), 40
    for channel, K in enumerate(layer.kernel(L).detach().numpy()):
        A_bar, B_bar, C = dense_system(layer, channel)
        expected = [C @ np.linalg.matrix_power(A_bar, k) @ B_bar for k in range(L)]
        np.testing.assert_allclose(K, expected, rtol=0, atol=1e-10)


@every_kind
def test_kernel_is_scipys_impulse_response_one_sample_later(init, method):
    layer, L = build(init, method), 40
    for channel, K in enumerate(layer.kernel(L).detach().numpy()):
        A_bar, B_bar, C = dense_system(layer, channel)
        _, (response,) = scipy.signal.dimpulse(scipy.signal.dlti(A_bar, B_bar[:, None], C[None], 0.0, dt=1.0), n=L + 1)
        assert response[0, 0] == 0
        np.testing.assert_allclose(K, response[1:, 0], rtol=0, atol=1e-10)


@every_kind
def test_output_is_the_dense_recurrence_plus_D_times_the_input(init, method):
    layer, u = build(init, method), torch.randn(1, 25, 2, dtype=torch.float64)
    y = layer(u)[0].detach().numpy()
    for channel in range(2):
        A_bar, B_bar, C = dense_system(layer, channel)
        x, D = np.zeros(len(A_bar)), layer.D[channel].item()
        for k, u_k in enumerate(u[0, :, channel].tolist()):
            x = A_bar @ x + B_bar * u_k
            assert y[k, channel] == pytest.approx(C @ x + D * u_k, abs=1e-10)


def test_real_bilinear_modes_may_alternate_in_sign():
    layer = S4D(1, 6, init="real", method="bilinear", dt_min=2.0, dt_max=2.0, dtype=torch.float64)
    assert (layer.discretize()[0] < 0).any()  # so the tests above cover a negative Ā, whose logarithm is complex


def test_a_bilinear_mode_with_A_bar_zero_is_a_single_tap():
    layer = S4D(1, 1, init="real", method="bilinear", dt_min=2.0, dt_max=2.0, dtype=torch.float64)
    with torch.no_grad():
        layer.log_dt.fill_(math.log(2.0))
    y = layer(torch.tensor([[[1.0], [0.0], [0.0]]], dtype=torch.float64))
    y.sum().backward()
    tap = layer.C.item() + 1  # B̄ = ΔB/(1 − ΔA/2) = 1, and D = 1
    np.testing.assert_allclose(y.detach().flatten(), [tap, 0, 0], atol=1e-10)
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


# The spectra at the start. N counts stored modes, the papers' N is 2N.


@pytest.mark.parametrize("N", [2, 4, 16])
def test_legs_spectrum_is_that_of_the_hippo_matrix_plus_its_rank_one_term(N):
    n = np.arange(2 * N)
    A = -np.tril(np.sqrt(np.outer(2 * n + 1, 2 * n + 1)), -1) - np.diag(n + 1.0)
    P = np.sqrt(n + 0.5)
    spectrum = np.linalg.eigvals(A + np.outer(P, P))
    expected = np.sort(spectrum.imag[spectrum.imag > 0])[::-1]
    np.testing.assert_allclose(initial_A("legs", N).imag, expected, rtol=1e-10)
    np.testing.assert_allclose(spectrum.real, -0.5, atol=1e-10)
    assert (initial_A("legs", N).real == -0.5).all()


@pytest.mark.parametrize(
    ("N", "values"), [(2, [4.6033, 0.5565]), (4, [19.857, 5.354, 1.958, 0.4275]), (32, [1303.27, 433.03, 258.15])]
)
def test_legs_spectrum_has_the_published_values(N, values):
    np.testing.assert_allclose(initial_A("legs", N).imag[: len(values)], values, rtol=2e-4)


def test_inv_approximates_the_top_of_the_legs_spectrum_and_not_its_middle():
    inv, legs = initial_A("inv", 32), initial_A("legs", 32)
    assert inv.imag[0] == pytest.approx(1283.4, abs=0.05)
    assert inv.imag[-1] == pytest.approx(64 / 63 / np.pi)
    error = inv.imag / legs.imag - 1
    assert error[0] == pytest.approx(-0.015, abs=1e-3)
    assert error.min() == pytest.approx(-0.2219, abs=1e-3)


def test_lin_and_real_spectra_are_evenly_spaced():
    np.testing.assert_allclose(initial_A("lin", 5), -0.5 + 1j * np.pi * np.arange(5))
    np.testing.assert_array_equal(initial_A("real", 5), [-1, -2, -3, -4, -5])


@pytest.mark.parametrize(("init", "states"), [("lin", 7), ("inv", 8), ("legs", 8), ("real", 4)])
def test_lin_spends_one_of_its_2N_states_on_nothing(init, states):
    """The rank of a kernel's Hankel matrix is the number of states that it uses."""
    torch.manual_seed(0)
    K = S4D(1, 4, init=init, dt_min=0.1, dt_max=0.1, dtype=torch.float64).kernel(63)[0].detach().numpy()
    assert np.linalg.matrix_rank(scipy.linalg.hankel(K[:32], K[31:]), rtol=1e-11) == states


def test_unit_B_starts_a_legs_layer_with_more_directions_than_the_weights_of_the_theory():
    n, N = np.arange(64), 32
    root = np.sqrt(2 * n + 1)
    skew = 0.5 * (np.triu(np.outer(root, root), 1) - np.tril(np.outer(root, root), -1))
    frequencies, V = np.linalg.eigh(-1j * skew)
    a, weights = -0.5 + 1j * frequencies[N:], (V.conj().T @ root)[N:]
    random = np.random.default_rng(0)

    def directions(b):
        """How many Hankel singular values exceed a tenth of the largest, for a random C."""
        c = random.normal(size=N) + 1j * random.normal(size=N)
        sigma = hankel_singular_values(*(np.concatenate([v, v.conj()]) for v in (a, b, c)))
        return (sigma > 0.1 * sigma[0]).sum()

    assert np.median([directions(np.ones(N)) for _ in range(50)]) == pytest.approx(49, abs=3)
    assert np.median([directions(weights) for _ in range(50)]) == pytest.approx(13, abs=5)
    assert abs(weights[-1] / weights[0]) == pytest.approx(70, abs=5)


# Parameters.


@every_kind
@settings(max_examples=20, deadline=None, derandomize=True)
@given(scale=st.floats(0, 8), seed=st.integers(0, 1000))
def test_no_parameter_values_make_the_recurrence_unstable(init, method, scale, seed):
    layer = S4D(2, 4, init=init, method=method, dtype=torch.float64)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(scale * torch.randn_like(parameter))
    assert (layer.A.real < 0).all()
    assert (layer.discretize()[0].abs() <= 1).all()


def test_steps_start_within_the_given_bounds():
    dt = torch.exp(S4D(1000, 1, dt_min=0.01, dt_max=0.5).log_dt)
    assert 0.01 <= dt.min() < 0.012
    assert 0.4 < dt.max() <= 0.5 * (1 + 1e-6)


def test_C_starts_with_unit_variance_real_or_complex():
    for init in ("lin", "real"):
        C = S4D(100, 100, init=init).C
        assert C.square().sum().item() / 1e4 == pytest.approx(1, abs=0.05)


def test_one_seed_gives_one_layer_in_either_precision():
    layers = []
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(3)
        layers.append(S4D(4, 8, dtype=dtype).state_dict())
    for name, value in layers[0].items():
        assert torch.equal(value, layers[1][name].float())


def test_parameters_and_states_are_made_where_they_are_asked_for():
    layer = S4D(4, 8, device="meta")
    tensors = [*layer.parameters(), layer.initial_state(2), layer.kernel(9)]
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_float32_kernel_keeps_its_accuracy_over_16384_positions():
    torch.manual_seed(0)
    layer = S4D(4, 32, init="inv")  # the highest frequencies turn through 10⁶ radians
    single, double = layer.kernel(16384), layer.double().kernel(16384)
    assert (single - double).abs().max() < 2e-4 * double.abs().max()


# Two directions.


@every_kind
def test_bidirectional_layer_is_a_forward_and_a_reversed_one(init, method):
    both = build(init, method, bidirectional=True)
    forward, reverse = build(init, method), build(init, method)
    weights = both.state_dict()
    C_reverse = weights.pop("C_reverse")
    forward.load_state_dict(weights)
    reverse.load_state_dict(weights | {"C": C_reverse, "D": torch.zeros(2)})
    u = torch.randn(3, 29, 2, dtype=torch.float64)
    expected = forward(u) + reverse(u.flip(1)).flip(1)
    assert (both(u) - expected).abs().max() < 1e-10
    assert not both.causal
    assert "C_reverse" in both.ssm_parameters


def test_bidirectional_layer_refuses_to_step_and_to_stream():
    layer, u = S4D(2, 4, bidirectional=True), torch.zeros(1, 5, 2)
    for use in (
        lambda: layer.step(u[:, 0], layer.initial_state(1)),
        lambda: layer(u, return_state=True),
        lambda: layer(u, state=layer.initial_state(1)),
    ):
        with pytest.raises(
            UserError, match=r"S4D: a bidirectional layer needs the whole sequence.*bidirectional=False"
        ):
            use()


# Frequencies: where the modes start, and how much each counts.


@pytest.mark.parametrize("init", ["lin", "inv", "legs"])
@pytest.mark.parametrize("alpha", [0.1, 1.0, 3.0])
def test_frequency_scale_multiplies_the_imaginary_parts_and_nothing_else(init, alpha):
    layers = []
    for scale in (1.0, alpha):
        torch.manual_seed(0)  # and steps far below the Nyquist frequency
        layers.append(S4D(2, 4, init=init, dt_min=1e-3, dt_max=1e-3, dtype=torch.float64, frequency_scale=scale))
    plain, scaled = (layer.state_dict() for layer in layers)
    for name, value in scaled.items():
        torch.testing.assert_close(value, (alpha if name == "imag" else 1) * plain[name], rtol=1e-14, atol=0)


def test_scaling_up_with_zoh_ends_before_the_nyquist_frequency_and_never_scales_down():
    steps = [1e-3, 0.02, 0.5]  # the fastest mode is at 15π: free, cut, and aliased from the start
    scales = []
    for dt in steps:
        layer = S4D(1, 16, dt_min=dt, dt_max=dt, frequency_scale=10.0, dtype=torch.float64)
        scales.append((layer.imag[0, 1] / math.pi).item())
        np.testing.assert_allclose(layer.imag[0].detach(), scales[-1] * np.pi * np.arange(16))
        assert layer.aliased().any().item() == (dt == 0.5)
    np.testing.assert_allclose(scales, [10, (1 - 1 / 32) / (0.02 * 15), 1])
    free = S4D(1, 16, method="bilinear", dt_min=0.5, dt_max=0.5, frequency_scale=10.0)
    assert (free.imag[0, 1] / math.pi).item() == pytest.approx(10)
    assert not free.aliased().any()
    assert not S4D(2, 3, init="real").aliased().any()


def test_an_aliased_mode_is_at_the_samples_a_slower_one():
    layer = S4D(1, 1, dt_min=0.1, dt_max=0.1, dtype=torch.float64)
    with torch.no_grad():
        layer.imag.fill_(35)
    assert layer.aliased().item()
    assert (layer.discretize()[0].angle() / 0.1).item() == pytest.approx(35 - 20 * math.pi)  # −27.83


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("beta", [-1.0, 0.5, 2.0])
def test_frequency_weight_is_a_diagonal_matrix_between_two_fourier_matrices(bidirectional, beta):
    L, options = 23, {"bidirectional": bidirectional}
    plain, weighted = build("lin", "zoh", **options), build("lin", "zoh", frequency_weight=beta, **options)
    with torch.no_grad():
        plain.D.zero_()
    impulse = torch.zeros(1, 2 * L - 1, 2, dtype=torch.float64)
    impulse[0, L - 1] = 1
    both_ways = plain(impulse)[0].T.detach().numpy()  # (d, 2L − 1): lags −L + 1 … L − 1
    u = torch.randn(1, L, 2, dtype=torch.float64)
    n = np.arange(2 * L)
    fourier = np.exp(-2j * np.pi * np.outer(n, n) / (2 * L))
    weights = np.diag((1 + np.minimum(n, 2 * L - n) / L) ** beta)
    for channel, response in enumerate(both_ways):
        circle = np.zeros(2 * L)
        np.add.at(circle, np.arange(1 - L, 2 * L - 1), np.convolve(response, u[0, :, channel]))
        filtered = fourier.conj() @ weights @ fourier @ circle / (2 * L)
        expected = filtered.real[:L] + weighted.D[channel].item() * u[0, :, channel].numpy()
        np.testing.assert_allclose(weighted(u)[0, :, channel].detach(), expected, rtol=0, atol=1e-10)
        assert np.abs(filtered.imag).max() < 1e-10


def test_frequency_weights_count_in_units_of_the_nyquist_frequency():
    weights = frequency_weights(100, 1.5)
    assert len(weights) == len(torch.fft.rfft(torch.zeros(200)))
    assert weights[[0, 50, 100]].tolist() == pytest.approx([1, 1.5**1.5, 2**1.5])


def test_a_weighted_layer_sees_the_future_and_so_has_neither_step_nor_state():
    layer, u = S4D(2, 4, frequency_weight=1.0), torch.zeros(1, 9, 2)
    changed = u.clone()
    changed[:, -1] = 1
    assert (layer(changed) - layer(u))[:, 0].abs().max() > 1e-5
    assert not layer.causal
    for use in (
        lambda: layer.step(u[:, 0], layer.initial_state(1)),
        lambda: layer(u, return_state=True),
        lambda: layer(u, state=layer.initial_state(1)),
    ):
        with pytest.raises(UserError, match=r"S4D: frequency_weight = 1 weighs .* no (step|state); .*frequency_weight"):
            use()


def test_a_weighted_layer_is_differentiable_contiguous_and_unmoved_by_autocast():
    layer = S4D(2, 4, frequency_weight=-0.5, bidirectional=True)
    u = torch.randn(3, 17, 2, requires_grad=True)
    y = layer(u)
    assert y.is_contiguous()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(u), y)
    for gradient in torch.autograd.grad(y.square().sum(), [u, *layer.parameters()]):
        assert gradient.isfinite().all()
        assert gradient.abs().max() > 0


# Mistakes.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"init": "leg"}, r"S4D: unknown init 'leg'; choose one of lin, inv, legs, real \(did you mean legs\?\)"),
        ({"method": "bilinaer"}, r"S4D: unknown method 'bilinaer'; choose one of zoh, bilinear \(did you mean"),
        ({"method": "foh"}, "S4D: unknown method 'foh'"),
        ({"dt_min": 0.2}, "0 < dt_min ≤ dt_max; got dt_min=0.2, dt_max=0.1"),
        ({"dt_min": 0.0}, "got dt_min=0.0"),
        ({"dt_min": -1.0}, "got dt_min=-1.0"),
        ({"dt_max": float("nan")}, "got dt_min=0.001, dt_max=nan"),
        ({"dt_max": float("inf")}, "dt_max=inf"),
        ({"dtype": torch.bfloat16}, "dtype must be float32 or float64; got torch.bfloat16"),
        ({"frequency_scale": 0}, "S4D: frequency_scale must be a positive number, 1 for none; got 0"),
        ({"frequency_scale": "3"}, "frequency_scale must be a positive number, 1 for none; got '3'"),
        ({"frequency_weight": float("nan")}, "S4D: frequency_weight must be a finite number, 0 for none; got nan"),
        ({"init": "real", "frequency_scale": 3}, "and init='real' has none; choose init='lin', 'inv' or 'legs'"),
    ],
)
def test_wrong_options_are_one_clear_sentence(options, words):
    with pytest.raises(UserError, match=words):
        S4D(2, 4, **options)


def test_nan_in_the_input_is_not_hidden():
    u = torch.zeros(1, 5, 2)
    u[0, 3] = torch.nan
    assert S4D(2, 4)(u).isnan().any()  # checking would cost a pass over u in every layer; the trainer looks at the loss


# Ways to compute the convolution.


def every_path(layer, u, monkeypatch):
    """Output and gradients, by each path that the layer could choose."""
    for path in ("recurrence", "chunks", "fft"):
        monkeypatch.setenv(VARIABLE, "torch" if path == "chunks" else "numba")
        monkeypatch.setattr(S4D, "path", lambda self, L, path=path: path)
        y = layer(u)
        g = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
        yield [y, *torch.autograd.grad(y, [u, *layer.parameters()], g)]


@every_kind
@pytest.mark.parametrize("bidirectional", [False, True], ids=["causal", "bidirectional"])
def test_every_path_gives_the_same_output_and_gradients(init, method, bidirectional, monkeypatch):
    layer = build(init, method, d=18, N=3, bidirectional=bidirectional).float()
    u = torch.randn(2, 150, 18, requires_grad=True)
    first, *others = every_path(layer, u, monkeypatch)
    for other in others:
        for one, two in zip(first, other, strict=True):
            assert (one - two).abs().max() <= 2e-5 * max(1, two.abs().max())


def test_a_layer_says_which_path_it_takes(monkeypatch):
    assert S4D(2, 32).path(1024) == "recurrence"
    assert S4D(2, 32).path(100) == "fft"  # short
    assert S4D(2, 64).path(1024) == "fft"  # wide, and not long enough for it
    assert S4D(2, 64).path(4096) == "recurrence"
    assert S4D(2, 32, dtype=torch.float64).path(1024) == "fft"
    assert S4D(2, 32, dtype=torch.float64).path(16384) == "chunks"
    assert S4D(2, 32, init="real").path(1024) == "fft"
    monkeypatch.setenv(VARIABLE, "torch")
    assert S4D(2, 32).path(1024) == "fft"


def test_a_mode_that_decays_at_once_is_no_nan_on_any_path(monkeypatch):
    layer = S4D(2, 3, dt_min=1e3, dt_max=1e3)  # Ā = e^{−500}, zero in float32
    for values in every_path(layer, torch.randn(1, 150, 2, requires_grad=True), monkeypatch):
        assert all(value.isfinite().all() for value in values)
