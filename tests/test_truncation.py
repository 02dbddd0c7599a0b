"""A reduced model: what the record says of trained ones, and the parts of the experiment on a small untrained one."""

import numpy as np
import pytest
import torch

from ssm_teach.experiments.truncation import IMPORTANCE, gains, keep_modes, reduced_model
from ssm_teach.hankel import balanced_truncation
from ssm_teach.layers.reduce import channel_systems
from ssm_teach.model import SequenceModel
from ssm_teach.records import load_record


@pytest.fixture(scope="module", params=["truncation", "truncation_real"])
def record(request):
    return load_record(request.param)["result"]


def build(init="lin"):
    torch.manual_seed(0)
    return SequenceModel(d_input=1, d_output=3, d_model=4, n_layers=2, N=4, layer="s4d", init=init).eval()


def test_no_recorded_gain_exceeds_its_promise(record):
    assert len(record["seeds"]) == 2
    for seed in record["seeds"].values():
        for entry in seed["reduced"].values():
            for name in ("tightest", "used"):
                assert all(ratio is None or ratio <= 1 + 1e-6 for ratio in entry[name])


def test_the_recorded_promise_falls_with_every_state_kept(record):
    for seed in record["seeds"].values():
        promises = np.array([entry["promised"] for entry in seed["reduced"].values()])
        # At the very end a promise is the rounding of numbers that were never there.
        assert (np.diff(promises, axis=0) <= 0).all()
        assert (np.diff(promises[:8], axis=0) < 0).all()


def test_with_all_states_no_recorded_answer_changes(record):
    for seed in record["seeds"].values():
        entry = seed["reduced"][str(seed["states"])]
        assert entry["changed"] == 0
        assert entry["accuracy"] == seed["accuracy"]
        assert max(entry["measured"]) < 1e-6


def test_the_trained_models_learned_something(record):
    assert min(seed["accuracy"] for seed in record["seeds"].values()) > 0.5  # chance is a tenth


def test_real_modes_need_far_fewer_states_than_complex_ones():
    """States until no more than one test answer in a hundred changes: under ten of 32, against more than twenty."""
    needed = {
        name: [
            next(int(k) for k, entry in seed["reduced"].items() if entry["changed"] <= 0.01)
            for seed in load_record(name)["result"]["seeds"].values()
        ]
        for name in ("truncation", "truncation_real")
    }
    assert max(needed["truncation_real"]) < 10
    assert min(needed["truncation"]) > 20


def test_reducing_a_model_leaves_the_model_alone():
    model = build()
    u = torch.randn(2, 20, 1)
    y = model(u).detach()
    smaller, reductions = reduced_model(model, 3)
    assert [reduction.layer.d for reduction in reductions] == [4, 4]
    assert not torch.allclose(smaller(u), y)
    torch.testing.assert_close(model(u), y)
    torch.testing.assert_close(reduced_model(model, 8)[0](u), y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("importance", IMPORTANCE)
@pytest.mark.parametrize(("init", "states"), [("lin", 8), ("real", 4)])
def test_keeping_all_modes_changes_nothing_and_keeping_one_leaves_one(importance, init, states):
    model, u = build(init), torch.randn(2, 20, 1)
    torch.testing.assert_close(keep_modes(model, states, importance)(u), model(u))
    one = keep_modes(model, states // 4, importance)
    assert all(((block.layer.C != 0).reshape(4, 4, -1).any(-1).sum(-1) == 1).all() for block in one.blocks)


def test_the_slowest_mode_is_the_one_kept():
    model = build()
    layer = model.blocks[0].layer
    kept = (keep_modes(model, 2, "slowness").blocks[0].layer.C != 0).any(-1)
    modulus = layer.discretize()[0].abs()
    assert torch.equal(modulus[kept], modulus.amax(-1))


def test_the_grid_of_frequencies_finds_nearly_all_of_the_largest_gain():
    for system in channel_systems(build().blocks[0].layer):
        cut = balanced_truncation(system, 3)
        assert 0.98 * cut.error <= gains(cut).max() <= cut.error * (1 + 1e-9)
