"""What every test shares: one thread, so that numbers repeat, and no silent skips where none are allowed."""

import os

import pytest
import torch

torch.set_num_threads(1)

OPTIONAL = ("book", "browser", "node")  # markers of tests that need the built book, a browser or node


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """With SSM_TEACH_NO_SKIPS set (as in .ci/run), a skipped book, browser or node test is a failure."""
    report = (yield).get_result()
    optional = any(item.get_closest_marker(name) for name in OPTIONAL)
    if report.skipped and optional and os.environ.get("SSM_TEACH_NO_SKIPS"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which SSM_TEACH_NO_SKIPS forbids: {report.longrepr}"
