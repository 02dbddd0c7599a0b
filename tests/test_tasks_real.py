"""Real targets: adding and delay are what they say, and R² is R² everywhere it is shown."""

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score

from ssm_teach import records, tasks, training
from ssm_teach.errors import UserError
from ssm_teach.settings import Settings
from ssm_teach.tasks import adding, delay

SMALL = {
    "adding": {"length": 10, "examples": 64},
    "delay": {"length": 40, "delay": 10, "band": 10, "examples": 32},
}
every_task = pytest.mark.parametrize("name", SMALL)


@pytest.fixture(autouse=True)
def _no_traces(monkeypatch, tmp_path):
    monkeypatch.setenv("SSM_TEACH_CACHE", str(tmp_path / "cache"))


def test_adding_asks_for_the_sum_of_the_two_marked_numbers():
    inputs, sums = adding.generate(500, seed=1, length=11)
    numbers, marks = inputs[..., 0], inputs[..., 1]
    assert set(np.unique(marks)) == {0, 1}
    assert (marks[:, :5].sum(1) == 1).all()
    assert (marks[:, 5:].sum(1) == 1).all()
    assert (marks.sum(0) > 0).all()
    np.testing.assert_allclose((numbers * marks).sum(1), sums, rtol=1e-6)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert sums.var() == pytest.approx(1 / 6, abs=0.02)


def test_adding_is_the_same_whatever_it_is_drawn_in():
    """Pieces of a thousand rows make no difference to the stream."""
    inputs, _ = adding.generate(1500, seed=2, length=4)
    rng = np.random.RandomState(2)
    rng.randint(0, 2, size=1500), rng.randint(2, 4, size=1500)
    np.testing.assert_array_equal(inputs[..., 0], rng.random_sample((1500, 4)).astype(np.float32))


def test_delay_asks_for_the_input_of_some_steps_ago():
    signal, target = delay.generate(20, seed=1, length=40, delay=7, band=9)
    np.testing.assert_array_equal(target[:, 7:], signal[:, :-7])
    assert (target[:, :7] == 0).all()


@pytest.mark.parametrize(("length", "band"), [(40, 9), (40, 20), (41, 20), (40, 1)])
def test_delayed_noise_is_white_up_to_its_band_and_nothing_above(length, band):
    signal, _ = delay.generate(3000, seed=0, length=length, delay=1, band=band)
    power = np.abs(np.fft.rfft(signal.astype(float), axis=1)) ** 2
    assert power[:, [0, *range(band + 1, power.shape[1])]].max(initial=0) < 1e-6 * power.max()
    np.testing.assert_allclose(power[:, 1 : band + 1].mean(0), power[:, 1].mean(), rtol=0.15)
    assert np.square(signal).mean() == pytest.approx(1, abs=0.08)


@every_task
def test_a_seed_gives_the_same_examples_and_splits_differ(name):
    first, second = (tasks.load(name, **SMALL[name]) for _ in range(2))
    assert torch.equal(first.train.raw, second.train.raw)
    longer = tasks.load(name, **(SMALL[name] | {"examples": 80}))
    assert torch.equal(longer.test.raw, first.test.raw)
    assert torch.equal(longer.test.targets, first.test.targets)
    assert not torch.equal(first.validation.raw, first.test.raw)


@every_task
def test_a_real_task_has_one_output_and_real_targets(name):
    task = tasks.load(name, **SMALL[name])
    inputs, targets, mask = task.train[torch.arange(3)]
    assert inputs.shape == (3, task.length, task.d_input)
    assert targets.shape == ((3,) if name == "adding" else (3, task.length))
    assert targets.dtype == torch.float32
    assert mask is None
    assert (task.metric, task.d_output, task.n_classes, task.vocab) == ("r2", 1, None, None)
    assert task.every_position == (name == "delay")


@every_task
def test_r2_is_that_of_scikit_learn(name):
    task = tasks.load(name, **SMALL[name])
    answers = torch.randn(*task.test.targets.shape, 1, generator=torch.Generator().manual_seed(0))
    sums = training.score(answers, task.test.targets, task.test.variance)
    truth, given = task.test.targets.double().ravel(), answers.double().ravel()
    assert float(sums["credit"] / sums["count"]) == pytest.approx(r2_score(truth, given), rel=1e-4)
    assert float(sums["loss"] / sums["count"]) == pytest.approx(float((truth - given).square().mean()), rel=1e-5)


@every_task
def test_answering_the_mean_is_chance_and_its_r2_is_about_zero(name):
    task = tasks.load(name, **SMALL[name] | {"examples": 2000})
    constant = np.full(task.test.targets.shape, float(task.train.targets.mean()))
    assert task.chance == pytest.approx(r2_score(task.test.targets.ravel(), constant.ravel()), abs=1e-6)
    assert abs(task.chance) < 0.01


def test_linear_answer_to_adding_explains_two_parts_in_length_and_one_of_the_numbers_half():
    task = tasks.load("adding", length=20, examples=20_000)
    assert task.weak_baseline()["r2"] == pytest.approx(2 / 20, abs=0.04)
    assert task.baseline()["r2"] == pytest.approx(0.5, abs=0.06)


def test_averages_remember_a_little_of_white_noise_and_all_of_a_slow_one():
    white, slow = (tasks.load("delay", length=400, delay=40, band=band, examples=40) for band in (100, 2))
    assert white.weak_baseline()["r2"] == pytest.approx(0, abs=0.02)
    assert 0.02 < white.baseline()["r2"] < 0.5
    assert slow.baseline()["r2"] > 0.85


@every_task
def test_a_record_of_a_real_task_speaks_of_r2(name, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(records, "RESULTS", tmp_path / "results")
    settings = Settings(task=name, task_options=SMALL[name], d_model=4, N=2, n_layers=1, epochs=1, device="cpu")
    record = training.train(settings, "one", runs=tmp_path, record="mine")
    assert "r2" in capsys.readouterr().out
    assert record["metric"] == "r2"
    for measured in (record["test"], record["baseline"], record["weak_baseline"], record["curve"][0]):
        assert "accuracy" not in measured
        assert np.isfinite(measured["r2"])
    model, task = training.load_model("one", runs=tmp_path)
    with torch.no_grad():
        answers = model(task.test[:][0])[..., 0]
    assert record["test"]["r2"] == pytest.approx(r2_score(task.test.targets.ravel(), answers.ravel()), abs=1e-5)
    assert training.evaluate("one", runs=tmp_path)["r2"] == record["test"]["r2"]
    records.print_report()
    assert f"{100 * record['test']['r2']:.1f}" in capsys.readouterr().out


def test_a_delay_of_one_step_is_learnt():
    task = tasks.load("delay", length=32, delay=1, band=8, examples=320)
    model = training.build_model(Settings(task="delay", d_model=16, N=8, n_layers=1, dropout=0.0), task)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for batch in torch.arange(320).repeat(6).split(32):
        inputs, targets, _ = task.train[batch]
        sums = training.score(model(inputs), targets, task.train.variance)
        optimiser.zero_grad()
        (sums["loss"] / sums["count"]).backward()
        optimiser.step()
    inputs, targets, _ = task.test[:]
    sums = training.score(model(inputs), targets, task.test.variance)
    assert sums["credit"] / sums["count"] > 0.8


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("adding", {"length": 1}, "length of adding must be a whole number, at least 2; got 1"),
        ("adding", {"length": 10**6, "examples": 10**4}, "10000 examples of adding of this size need .* GiB of memory"),
        ("delay", {"delay": 40}, "delay must be less than length = 40; got 40"),
        ("delay", {"delay": 0}, "delay of delay must be a whole number, at least 1; got 0"),
        ("delay", {"band": 21}, "band must be at most 20, the highest frequency that 40 samples can show; got 21"),
        ("delay", {"examples": 10**7}, "10000000 examples of delay of this size need 3.0 GiB of memory, more than 1.5"),
    ],
)
def test_impossible_settings_are_one_sentence(name, options, words):
    with pytest.raises(UserError, match=words):
        tasks.load(name, **SMALL[name] | options)
