"""Which servers the tests have, and what happens to tests without theirs.

scripts/test starts servers and names them in the environment: DOCKER_HOST, PLIMSOLL_TEST_REDIS_URL,
PLIMSOLL_TEST_POSTGRES_URL, PLIMSOLL_TEST_CHROMIUM. A test is marked with what it needs and skipped where that is
missing; with PLIMSOLL_TEST_REQUIRE_ALL every skip is a failure. PLIMSOLL_TEST_TOTALS names a file for the counts.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import docker
import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
REQUIRE_ALL = os.environ.get("PLIMSOLL_TEST_REQUIRE_ALL") == "1"
COUNTED = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
DATABASE_FIXTURES = {"db", "transactional_db", "live_server"}
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@functools.cache
def _engine_missing() -> str:
    try:
        client = docker.from_env(timeout=10)
        try:
            client.ping()
        finally:
            client.close()
    except docker.errors.DockerException as error:
        return f"no Docker Engine answers: {error}"
    return ""


@functools.cache
def _registry_missing() -> str:
    return "" if shutil.which("docker-registry") else "docker-registry is not installed"


@functools.cache
def _browser_missing() -> str:
    return "" if _chromium() else "chromium is not installed"


MISSING = {"engine": _engine_missing, "registry": _registry_missing, "browser": _browser_missing}


def _chromium() -> str | None:
    return os.environ.get("PLIMSOLL_TEST_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser that browser tests drive."""
    found = _chromium()
    if not found:
        pytest.skip("chromium is not installed")
    return found


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "database: given to every test that touches the database")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before -m chooses: scripts/test runs these tests a second time, on PostgreSQL."""
    for item in items:
        fixtures = DATABASE_FIXTURES.intersection(getattr(item, "fixturenames", ()))
        if item.get_closest_marker("django_db") or fixtures:
            item.add_marker("database")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, missing in MISSING.items():
        if item.get_closest_marker(marker) and (reason := missing()):
            pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    return _refuse_skip(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    return _refuse_skip(report)


def _refuse_skip(report: Report) -> Report:
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"Nothing may be skipped with --require-all. {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if path := os.environ.get("PLIMSOLL_TEST_TOTALS"):
        counts = {name: len(terminalreporter.stats.get(name, ())) for name in COUNTED}
        Path(path).write_text(json.dumps(counts))
