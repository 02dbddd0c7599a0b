"""Time series: files in the .ts format, right and wrong, and tasks made of them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_teach import tasks
from ssm_teach.errors import UserError
from ssm_teach.tasks.timeseries import read_ts

HEADER = ["# a comment", "@problemName Small", "@timeStamps false", "@classLabel true up down", "", "@data"]
LINES = ["1,2,3:0,0,0:up", "3,2,1.5:0,1,0:down", "1,3,9:0,1,1:up", "9,4,-1e1:0,0,1:down", "2,3,4:1,1,1:up"]


@pytest.fixture(autouse=True)
def _no_traces(monkeypatch, tmp_path):
    monkeypatch.setenv("SSM_TEACH_CACHE", str(tmp_path / "cache"))


def write(folder, part="TRAIN", lines=LINES, header=HEADER):
    path = folder / f"Small_{part}.ts"
    path.write_text("\n".join([*header, *lines]) + "\n")
    return path


@pytest.fixture
def small(tmp_path):
    write(tmp_path, "TRAIN", LINES * 3)
    write(tmp_path, "TEST")
    return tmp_path


def test_a_file_is_read(tmp_path):
    series, classes, names = read_ts(write(tmp_path))
    assert [one.shape for one in series] == [(3, 2)] * 5
    np.testing.assert_array_equal(series[1], np.array([[3, 0], [2, 1], [1.5, 0]], np.float32))
    assert (classes.tolist(), names) == ([0, 1, 0, 1, 0], ["up", "down"])


def test_a_task_has_the_training_files_scale_and_its_fifth_for_validation(small):
    task = tasks.load("timeseries", dataset="Small", folder=str(small))
    assert [len(split) for split in (task.train, task.validation, task.test)] == [12, 3, 5]
    assert (task.length, task.d_input, task.n_classes) == (3, 2, 2)
    inputs, _, mask = task.train[:]
    assert mask is None
    torch.testing.assert_close(inputs.mean((0, 1)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(inputs.std((0, 1), correction=0), torch.ones(2), atol=1e-4, rtol=0)
    test = task.test[:][0]
    spread = np.ptp([3, 2, 1.5]) / float(test[1, :, 0].max() - test[1, :, 0].min())  # one scale for both splits
    assert spread == pytest.approx(float(np.ptp([1, 2, 3]) / (test[0, :, 0].max() - test[0, :, 0].min())), rel=1e-5)


def test_shorter_series_are_padded_and_masked(small):
    write(small, "TEST", ["5:7:up", "1,2:3,4:down"])
    task = tasks.load("timeseries", dataset="Small", folder=str(small))
    inputs, _, mask = task.test[:]
    assert mask.tolist() == [[True, False, False], [True, True, False]]
    assert (inputs[~mask] == 0).all()
    assert task.length == 3


def test_baselines_are_fitted_on_training_and_measured_on_the_test(small):
    rng = np.random.RandomState(0)
    high, low = ([",".join(map(str, rng.randn(6) + shift)) for _ in range(10)] for shift in (4, -4))
    write(small, "TRAIN", [f"{one}:up" for one in high] + [f"{one}:down" for one in low])
    for classes, accuracy in ((("up", "down"), 1.0), (("down", "up"), 0.0)):
        write(small, "TEST", [f"{one}:{classes[0]}" for one in high] + [f"{one}:{classes[1]}" for one in low])
        task = tasks.load("timeseries", dataset="Small", folder=str(small))
        assert (task.baseline()["accuracy"], task.weak_baseline()["accuracy"]) == (accuracy, accuracy)
        assert task.baseline()["train_examples"] == 16


@pytest.mark.parametrize(
    ("number", "line", "words"),
    [
        (2, "problemName Small", "line 2 comes before @data and does not begin with @"),
        (4, "@targetLabel true", "has no line '@classLabel true NAME NAME …' before @data"),
        (4, "@classLabel false", "has no line '@classLabel true NAME NAME …' before @data"),
        (3, "@timeStamps true", "has time stamps, which this reader does not know"),
        (7, "1,2,3:0,0,0:sideways", "line 7 has the class 'sideways', which @classLabel does not name"),
        (8, "3,2,x:0,1,0:down", "line 8: could not convert string to float: 'x'"),
        (8, "3,?,1:0,1,0:down", r"line 8: .*'\?'.*a missing value, '\?', is not allowed"),
        (8, "3,nan,1:0,1,0:down", "line 8 has a value that is not a finite number"),
        (8, "3,2,1:down", "line 8 has 1 channels, the first example 2"),
        (8, "3,2,1:0,1:down", r"line 8 has channels of different lengths, \[2, 3\]"),
        (9, "1,3,9", "line 9 must read VALUES:CLASS, with ':' before the class"),
    ],
)
def test_a_wrong_line_is_named(small, number, line, words):
    lines = [*HEADER, *LINES]
    lines[number - 1] = line
    path = write(small, "TRAIN", lines, header=[])
    with pytest.raises(UserError, match=f"Small_TRAIN.ts: {words}"):
        read_ts(path)


@settings(deadline=None)
@given(st.binary(max_size=80), st.integers(0, 200), st.integers(0, 200))
def test_a_damaged_file_is_read_or_refused_in_one_sentence(tmp_path_factory, garbage, start, stop):
    whole = "\n".join([*HEADER, *LINES]).encode()
    path = tmp_path_factory.getbasetemp() / "damaged.ts"
    path.write_bytes(whole[:start] + garbage + whole[stop:])
    try:
        series, classes, _ = read_ts(path)
    except UserError as refused:
        sentence = str(refused)
    else:
        sentence = ""
    assert len(sentence) < 400
    if sentence:
        return
    assert len(series) == len(classes) > 0


def test_files_that_do_not_fit_together_are_one_sentence(small):
    def load():
        return tasks.load("timeseries", dataset="Small", folder=str(small))

    write(small, "TEST", ["1,2,3:up"])
    with pytest.raises(UserError, match="the two files of Small have different numbers of channels"):
        load()
    write(small, "TEST", header=["@classLabel true down up", "@data"])
    with pytest.raises(UserError, match="the two files of Small name different classes"):
        load()
    write(small, "TEST", [])
    with pytest.raises(UserError, match=r"Small_TEST.ts: there is no example after @data"):
        load()
    write(small, "TEST")
    write(small, "TRAIN", LINES[:4])
    with pytest.raises(UserError, match="Small has 4 training series; at least 5 are needed"):
        load()
    (small / "Small_TEST.ts").unlink()
    with pytest.raises(UserError, match=r"needs the file .*Small_TEST.ts, which does not exist"):
        load()


def test_without_the_package_the_command_to_fetch_it_is_named():
    with pytest.raises(UserError, match="ssm-teach data get timeseries"):
        tasks.load("timeseries")
    with pytest.raises(UserError, match=r"unknown dataset 'ACSF2'.*did you mean ACSF1"):
        tasks.load("timeseries", dataset="ACSF2")
