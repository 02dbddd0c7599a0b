"""The experiment on trained Hankel singular values: what it measures, and that its record is of the recorded runs."""

import numpy as np
import pytest
import torch

from ssm_teach.experiments.trained_hankel import RECORDS, run, singular_values, summary
from ssm_teach.model import SequenceModel
from ssm_teach.records import load_record


def test_values_of_hope_are_those_of_its_parameters_in_each_direction():
    torch.manual_seed(0)
    model = SequenceModel(d_input=1, d_output=2, d_model=3, n_layers=2, layer="hope", N=6, bidirectional=True).double()
    expected = []
    for block in model.blocks:
        for h, h_reverse in zip(block.layer.h.detach().numpy(), block.layer.h_reverse.detach().numpy(), strict=True):
            for direction in (h, h_reverse):
                H = np.array([[direction[i + j] if i + j < 6 else 0 for j in range(6)] for i in range(6)])
                expected.append(np.linalg.svd(H, compute_uv=False))
    np.testing.assert_allclose(singular_values(model), expected, rtol=0, atol=1e-10)


def test_summary_has_the_rank_of_every_system_and_quartiles_over_systems():
    sigma = np.array([[1.0, 0.5, 0.001], [4.0, 0.2, 0.1], [3.0, 3.0, 3.0]])
    kept = summary(sigma, (0.1, 0.01))
    assert kept["ranks"] == {"0.1": [2, 1, 3], "0.01": [2, 3, 3]}
    assert kept["largest"] == [2.0, 3.0, 3.5]
    assert [row[0] for row in kept["ratios"]] == [1, 1, 1]
    assert kept["ratios"][1] == pytest.approx([1, 0.5, 0.025])


def test_a_short_run_trains_with_the_settings_of_the_record():
    (short,) = run(runs=RECORDS[:1], epsilons=(0.1,), epochs=1)["runs"]
    record = load_record(RECORDS[0])
    assert (short["layer"], short["seed"]) == (record["settings"]["layer"], record["settings"]["seed"])
    assert short["before"] != short["after"]
    assert 0 <= short["test_accuracy"] < record["test"]["accuracy"]
    assert len(short["after"]["ranks"]["0.1"]) == 2 * 2 * 64  # directions, blocks, channels


def test_the_record_is_of_the_recorded_runs():
    runs = load_record("trained_hankel")["result"]["runs"]
    assert [one["record"] for one in runs] == list(RECORDS)
    for one in runs:
        assert one["test_accuracy"] == load_record(one["record"])["test"]["accuracy"]
