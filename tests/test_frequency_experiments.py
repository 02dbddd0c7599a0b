"""The experiments of chapter 12: what they compute, and that their records say what the chapter tells."""

import numpy as np
import pytest
import torch

from ssm_teach.errors import UserError
from ssm_teach.experiments import frequency_fits, frequency_waves, settings_of
from ssm_teach.records import load_record


def test_a_fit_does_not_notice_the_others_in_its_batch():
    cases = [(0.3, 1.0, "loss", 0), (1.0, 0.5, "layer", 1), (0.1, -0.5, "raw layer", 2)]
    grid = np.linspace(0, 100, 301)
    together = frequency_fits._fits(cases, grid, 16, (6.0, 70.0), 40, 0.05)
    for case, one in zip(cases, together, strict=True):
        alone = frequency_fits.fit(*case, steps=40)
        np.testing.assert_allclose(one["a"], alone["a"], rtol=1e-9)
        assert one["errors"] == pytest.approx(alone["errors"], rel=1e-9)


def test_modes_start_at_scaled_frequencies_of_s4d_lin_and_are_watched():
    seen = []
    frequency_fits.fit(alpha=0.2, steps=2, watch=lambda step, a: seen.append((step, a.copy())))
    assert [step for step, _ in seen] == [0, 1]
    np.testing.assert_allclose(seen[0][1], -0.5 + 0.2j * np.pi * np.arange(16))
    assert np.abs(seen[1][1].imag - seen[0][1].imag).max() == pytest.approx(0.05, rel=1e-3)  # Adam's first step is lr


@pytest.mark.parametrize("place", frequency_fits.PLACES)
def test_errors_are_those_of_the_model_that_was_fitted(place):
    grid = np.linspace(0, 100, 301)
    one = frequency_fits.fit(0.5, 0.5, place, seed=3, steps=30)
    w = frequency_fits.weight(grid, 0.5)
    factor = {"loss": 1, "layer": w / w.mean(), "raw layer": w}[place]
    model = factor * frequency_fits.response(one["a"], one["c"], grid)
    assert one["errors"] == pytest.approx(frequency_fits.errors(model, grid), rel=1e-9)


def test_the_weight_of_a_loss_does_not_care_for_its_size():
    """Adam divides by the size of the gradient: only the place "layer" and "raw layer" differ by the mean of w."""
    plain, loss = (frequency_fits.fit(0.5, 0.0, place, steps=50)["errors"] for place in ("raw layer", "loss"))
    assert plain == pytest.approx(loss, rel=1e-9)


def test_silence_has_error_one():
    grid = np.linspace(0, 100, 301)
    assert frequency_fits.errors(np.zeros(301), grid) == [1, 1]
    assert frequency_fits.errors(frequency_fits.target(grid), grid) == [0, 0]


def test_a_small_scale_misses_the_fast_resonance_and_a_large_one_finds_it():
    small, large = (frequency_fits.fit(alpha, steps=1200)["errors"] for alpha in (0.1, 2.0))
    assert small[0] < 0.2
    assert small[1] > 0.8
    assert max(large) < 0.2


def test_an_unknown_place_is_one_clear_sentence():
    with pytest.raises(UserError, match=r"frequency_fits: unknown place 'los'; .*\(did you mean loss\?\)"):
        frequency_fits.fit(place="los", steps=1)


@pytest.mark.parametrize("name", ["frequency_fits", "frequency_waves"])
def test_the_record_was_made_with_the_present_defaults(name):
    recorded = {key: tuple(v) if isinstance(v, list) else v for key, v in load_record(name)["settings"].items()}
    assert recorded == settings_of(name)


def test_records_hold_every_case_once():
    fits, settings = load_record("frequency_fits")["result"], load_record("frequency_fits")["settings"]
    cases = [(f["alpha"], f["beta"], f["place"], f["seed"]) for f in fits["fits"]]
    sizes = [len(settings[key]) for key in ("alphas", "betas", "places", "seeds")]
    assert len(set(cases)) == len(cases) == np.prod(sizes)
    assert len(fits["slow_fits"]) == sizes[1] * sizes[3]
    runs = load_record("frequency_waves")["result"]["runs"]
    assert len({(r["alpha"], r["beta"], r["seed"]) for r in runs}) == len(runs) == 24


def test_waves_have_the_frequencies_and_amplitudes_they_are_said_to_have():
    frequencies = [2 * np.pi * k / 64 for k in (2, 9, 25)]
    u, amplitudes = frequency_waves.waves(50, 64, frequencies, 0.0, torch.Generator().manual_seed(0))
    spectrum = torch.fft.rfft(u[..., 0]).abs() / 32
    torch.testing.assert_close(spectrum[:, [2, 9, 25]], amplitudes, atol=1e-4, rtol=0)
    spectrum[:, [2, 9, 25]] = 0
    assert spectrum.max() < 1e-4


def test_a_run_of_waves_trains_with_both_knobs():
    small = {"length": 32, "d_model": 4, "N": 4, "steps": 3, "batch_size": 4}
    result = frequency_waves.run((0.5, 2.0), (0.0, 1.0), (0,), **small)
    assert [(run["alpha"], run["beta"]) for run in result["runs"]] == [(0.5, 0.0), (0.5, 1.0), (2.0, 0.0), (2.0, 1.0)]
    assert np.isfinite([run["errors"] for run in result["runs"]]).all()
    assert result["fastest_mode"] == pytest.approx(3 * np.pi * 0.02)
