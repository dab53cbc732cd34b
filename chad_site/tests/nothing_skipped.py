"""In CI nothing that the project is judged by may be skipped: there a missing Chromium or missing data is a failure."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

# Skips for these reasons are failures in CI, as is every skip of a test that is marked `browser`.
NEEDED_IN_CI = ("shared data", "shared/data", "gettext")


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() == "true"


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why it was skipped: pytest gives file, line and reason."""
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)


def fail_instead(report: pytest.TestReport | pytest.CollectReport, always: bool) -> None:
    """Turns a skip into a failure where CI would otherwise pass without what it needs."""
    if not report.skipped or not in_ci() or hasattr(report, "wasxfail"):
        return
    reason = reason_of(report)
    if always or any(word in reason for word in NEEDED_IN_CI):
        report.outcome = "failed"
        report.longrepr = f"Skipped where CI needs it to run. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    fail_instead(report, always=item.get_closest_marker("browser") is not None)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    fail_instead(report, always=False)
    return report
