"""The benchmarks check before they time."""

import json

import pytest
import torch

from benchmarks import harness, pipelines, scans
from ssm_teach import tasks
from ssm_teach.ops._backends import VARIABLE

RIGHT, WRONG = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.5])


def test_a_wrong_result_is_not_timed():
    with pytest.raises(RuntimeError, match=r"theirs differs from ours by 2\.5e-01, more than 1e-06: not timed"):
        harness.compare({"ours": lambda: RIGHT, "theirs": lambda: WRONG}, tolerance=1e-6)


def test_a_result_that_is_not_a_number_is_wrong():
    with pytest.raises(RuntimeError, match="not timed"):
        harness.compare({"ours": lambda: RIGHT, "theirs": lambda: RIGHT * float("nan")}, tolerance=1e-6)


def test_a_known_wrong_result_is_timed_and_marked(capsys):
    row = harness.compare({"ours": lambda: RIGHT, "theirs": lambda: WRONG}, 1e-6, rounds=1, may_differ=["theirs"])
    assert row["theirs"]["wrong"]
    assert "wrong" not in row["ours"]
    harness.show("a title", {"one": row, "two": {"ours": row["ours"]}})
    assert "!" in capsys.readouterr().out


def test_our_scans_and_the_installed_peers_agree_forward_and_backward(monkeypatch):
    monkeypatch.setenv(VARIABLE, "numba")  # the contestants set it; this puts it back
    everybody = scans.contestants()
    assert list(everybody)[:3] == ["numba", "torch", "loop"]
    for kind in scans.KINDS.values():
        for what in ("both", "forward"):
            row = scans._timed(everybody, what, scans._inputs((2, 32, 16), *kind), rounds=1)
            assert {name for name, cell in row.items() if "wrong" in cell} <= {"mambapy"}


def test_the_record_and_its_picture_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "FOLDER", tmp_path)
    monkeypatch.setattr(scans, "FOLDER", tmp_path)
    cell = {"median_ms": 1.0, "ratio": 1.0, "difference": 0.0}
    rows = {f"sweep L={L}": {"numba": cell | {"memory_mib": 2.0}, "loop": cell} for L in (16, 64)}
    harness.save("linear-scan", rows, ["numba"])
    scans.draw(rows)
    assert json.loads((tmp_path / "linear-scan.json").read_text())["rows"] == rows
    assert (tmp_path / "linear-scan.svg").read_text().startswith("<?xml")


def test_a_pipeline_is_compared_with_the_training_of_its_own_task(monkeypatch):
    monkeypatch.setattr(pipelines, "SECONDS", 0.01)
    row = pipelines.Pipeline("adding", {"length": 8, "examples": 32}, lambda n: None, n=4)
    measured = pipelines._seconds(tasks.load(row.task, **row.options), row)
    assert set(measured) == {"read", "made"}
    for cells in measured.values():
        assert set(cells) == {"pipeline", pipelines.CONSUMER}
        assert cells["pipeline"]["ratio"] == 1
    ours, theirs = measured["read"].values()
    assert theirs["ratio"] == pytest.approx(theirs["median_ms"] / ours["median_ms"])  # milliseconds are rounded anew


def test_a_pipeline_whose_data_was_not_fetched_is_left_out(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SSM_TEACH_CACHE", str(tmp_path))
    monkeypatch.setattr(pipelines, "PIPELINES", {"dna": pipelines.PIPELINES["dna"]})
    assert pipelines.pipelines() == {}
    assert "dna is left out" in capsys.readouterr().out
