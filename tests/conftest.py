"""What every test shares: one thread, so that numbers repeat; one style; one browser; no silent skips in CI."""

import os
import shutil

import matplotlib as mpl
import pytest
import torch

torch.set_num_threads(1)

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
OPTIONAL = ("book", "browser", "node")  # markers of tests that need the built book, a browser or node


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """With SSM_TEACH_NO_SKIPS set (as in .ci/run), a skipped book, browser or node test is a failure."""
    report = (yield).get_result()
    optional = any(item.get_closest_marker(name) for name in OPTIONAL)
    if report.skipped and optional and os.environ.get("SSM_TEACH_NO_SKIPS"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which SSM_TEACH_NO_SKIPS forbids: {report.longrepr}"


@pytest.fixture(autouse=True)
def matplotlib_as_it_was():
    """What one test does to matplotlib's settings, `viz.use_style` above all, is not seen by the next."""
    with mpl.rc_context():
        yield


def chromium() -> str | None:
    """Path of the browser: SSM_TEACH_CHROMIUM, or the system's."""
    names = (os.environ.get("SSM_TEACH_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium found: install it or name it in SSM_TEACH_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield running
        running.close()
