"""An experiment's record says what was run, and a mistake at the command line is one sentence."""

import json
import sys
import types

import pytest

from ssm_teach import experiments, records
from ssm_teach.errors import UserError
from ssm_teach.experiments.__main__ import main


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    return tmp_path


@pytest.fixture
def square(monkeypatch):
    """A tiny experiment: one module more in the package."""
    module = types.ModuleType("ssm_teach.experiments.square", "How large is a square?\n\nMore words.")
    module.run = lambda sides=(1, 2): {"areas": [side**2 for side in sides]}
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(experiments, "names", lambda: ["square"])
    return module


def test_a_record_holds_the_result_and_what_made_it(results, square):
    experiments.record("square")
    kept = json.loads((results / "square.json").read_text())
    assert kept["result"] == {"areas": [1, 4]}
    assert kept["settings"] == {"sides": [1, 2]}
    assert kept["about"] == "How large is a square?"
    assert kept["command"] == "python -m ssm_teach.experiments square"
    assert {"commit", "versions", "device", "wall_seconds", "kind"} <= kept.keys()
    assert "scipy" in kept["versions"]


def test_every_experiment_can_be_run_without_arguments():
    for name in experiments.names():
        experiments.settings_of(name)


def test_a_setting_without_a_default_is_refused(square):
    square.run = lambda sides: {}
    with pytest.raises(UserError, match=r"square\.run\(sides\) needs a default"):
        experiments.settings_of("square")


def test_a_failed_run_leaves_no_record(results, square):
    square.run = lambda: {"value": float("nan")}
    with pytest.raises(ValueError, match="JSON"):
        experiments.record("square")
    assert list(results.iterdir()) == []


def test_the_command_line_lists_the_names_and_suggests_the_nearest(results, capsys, monkeypatch):
    monkeypatch.setattr(experiments, "names", lambda: ["square", "cube"])
    assert main(["sqare"]) == 2
    assert "did you mean square?" in capsys.readouterr().err
    assert main([]) == 2
    assert "experiments: give one name" in capsys.readouterr().err


def test_the_command_line_writes_the_record(results, square, capsys):
    assert main(["square"]) == 0
    assert "written to" in capsys.readouterr().out
    assert (results / "square.json").is_file()
