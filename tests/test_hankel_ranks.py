"""Which initialisations need all of their states and which do not: from the record, and from a small run made anew."""

import numpy as np
import pytest

from ssm_teach.experiments import hankel_ranks
from ssm_teach.experiments.hankel_ranks import LAWS, run, values
from ssm_teach.records import load_record

# From the one that uses the fewest of its states to the one that uses all; at ε = 0.01 and n = 64.
ASCENDING = ("s4d-real", "ring-0-0.9", "ring-0-1", "ring-0.9-0.999", "hope", "s4d-lin")
LINEAR = ("hankel", "hope", "s4d-inv", "s4d-lin", "s4d-legs")
SUBLINEAR = ("s4d-real", "dense", "dense-discrete", "ring-0-0.9", "ring-0-1", "ring-0.9-0.999")


@pytest.fixture(scope="module")
def record():
    return load_record("hankel_ranks")["result"]


def slope(ranks):
    """d log rank / d log n, over all sizes: 1 is linear."""
    sizes = np.array([int(n) for n in ranks])
    return np.polyfit(np.log(sizes), np.log([entry["median"] for entry in ranks.values()]), 1)[0]


def test_the_record_orders_the_initialisations(record):
    medians = [record["decay"][law]["ranks"]["0.01"]["median"] for law in ASCENDING]
    assert medians == sorted(medians)
    assert medians[0] < 5
    assert medians[-1] == 63  # of 64, the pair at frequency zero being one state


def test_the_recorded_spread_does_not_blur_the_order(record):
    """Every draw of S4D-Lin and HOPE has more states that matter than any draw of S4D-Real or a dense A."""
    ranks = {law: entry["ranks"]["0.01"] for law, entry in record["decay"].items()}
    many = min(ranks[law]["least"] for law in ("s4d-lin", "s4d-inv", "s4d-legs", "hope", "hankel"))
    few = max(ranks[law]["largest"] for law in ("s4d-real", "dense", "dense-discrete", "ring-0-0.9", "ring-0-1"))
    assert few < many


def test_the_input_weights_of_the_theory_cost_legs_most_of_its_states(record):
    ranks = {law: record["decay"][law]["ranks"]["0.1"]["median"] for law in ("s4d-legs", "s4d-legs-projected")}
    assert ranks["s4d-legs-projected"] < ranks["s4d-legs"] / 3


@pytest.mark.parametrize("law", LINEAR)
def test_recorded_ranks_that_grow_like_the_number_of_states(record, law):
    assert slope(record["scaling"][law]) == pytest.approx(1, abs=0.06)
    assert record["scaling"][law]["512"]["median"] > 0.8 * 512


@pytest.mark.parametrize("law", SUBLINEAR)
def test_recorded_ranks_that_grow_more_slowly(record, law):
    assert slope(record["scaling"][law]) < 0.75
    assert record["scaling"][law]["512"]["median"] < 0.3 * 512


def test_zero_order_hold_at_a_large_step_merges_modes(record):
    """πnΔ at Δ = 0.1 repeats after 20 modes: of 64 states 20 are left."""
    assert record["decay"]["s4d-lin-zoh-0.1"]["ranks"]["0.0001"]["median"] == 20
    assert record["decay"]["s4d-lin-zoh-0.001"]["ranks"]["0.0001"]["median"] == 63


def test_a_small_run_finds_the_same_order_and_the_same_growth():
    laws = ("s4d-real", "ring-0-1", "ring-0.9-0.999", "s4d-lin", "hope")
    result = run(laws=laws, n=64, draws=5, eps=(1e-2,), sizes=(16, 32, 64), sizes_draws=5, seed=7)
    medians = [result["decay"][law]["ranks"]["0.01"]["median"] for law in laws]
    assert medians[:3] == sorted(medians[:3])
    assert medians[2] < min(medians[3:])
    assert slope(result["scaling"]["s4d-lin"]) > 0.9
    assert slope(result["scaling"]["s4d-real"]) < 0.4


def test_the_record_is_what_the_code_computes(record):
    """One law at the recorded settings, digit for digit in the ranks."""
    again = run(laws=("ring-0.9-0.999",), sizes=(32, 64))
    assert again["decay"]["ring-0.9-0.999"]["ranks"] == record["decay"]["ring-0.9-0.999"]["ranks"]
    assert again["scaling"]["ring-0.9-0.999"]["64"] == record["scaling"]["ring-0.9-0.999"]["64"]


@pytest.mark.parametrize("law", LAWS)
def test_every_law_gives_a_descending_spectrum_that_depends_on_the_seed(law):
    first, second = values(law, 8, 2)
    assert (np.diff(first) <= 0).all()
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(values(law, 8, 2)[1], second)


def test_s4d_in_continuous_time_does_not_know_its_step():
    """Stretching time by s divides the poles and multiplies every σ by s."""
    law, _ = LAWS["s4d-lin"]
    stretched = hankel_ranks._pairs(hankel_ranks.initial_A("lin", 8) / 3, 1.0, np.random.default_rng(0))
    np.testing.assert_allclose(stretched, 3 * law(16, np.random.default_rng(0)), rtol=1e-10, atol=1e-14)
