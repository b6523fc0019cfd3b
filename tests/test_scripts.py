"""scripts/lib: what it starts ends with it, what fails says so, what a machine lacks is counted."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.lib import bootstrap, debian, testing
from scripts.lib.installation import Ports, admin_password
from scripts.lib.processes import Processes, free_port, listens
from scripts.lib.smoke import Visitor
from scripts.lib.steps import ROOT, SetupError, run
from tests.servers import wait_until

SLEEPER = (
    "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"
)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path / "log", grace_seconds=2) as processes:
        yield processes


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait_for(path: Path) -> str:
    deadline = time.monotonic() + 10
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return path.read_text()


def _wait_gone(*pids: int) -> None:
    deadline = time.monotonic() + 10
    while any(map(_is_running, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_children_of_children_end_with_the_block(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        child = processes.start("sleeper", [sys.executable, "-c", SLEEPER])
        grandchild = int(_wait_for(child.log))
    _wait_gone(child.process.pid, grandchild)


def test_a_child_that_ignores_sigterm_is_killed(processes: Processes) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    child = processes.start("stubborn", [sys.executable, "-c", code])
    _wait_for(child.log)
    processes.stop(child)
    assert child.process.returncode == -signal.SIGKILL


def test_a_crash_is_told_with_the_end_of_the_log(processes: Processes) -> None:
    processes.start("web", ["sh", "-c", "echo the port is taken; exit 3"])
    with pytest.raises(SetupError, match=r"(?s)web ended with status 3.*the port is taken"):
        processes.wait_until(lambda: False, "The web server", seconds=10)


def test_a_program_that_is_missing_is_a_sentence(processes: Processes) -> None:
    with pytest.raises(SetupError, match="web could not be started"):
        processes.start("web", ["/nonexistent/program"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_a_script_however_it_ends(number: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\n"
        "from scripts.lib.processes import Processes\n"
        "from scripts.lib.steps import finish\n"
        "def main():\n"
        "    with Processes(Path(sys.argv[1])) as processes:\n"
        "        print(processes.start('sleeper', ['sleep', '60']).process.pid, flush=True)\n"
        "        time.sleep(60)\n"
        "finish(main)\n"
    )
    parent = subprocess.Popen([sys.executable, script, tmp_path / "log"], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    parent.send_signal(number)
    assert parent.wait(60) == (130 if number != signal.SIGKILL else -signal.SIGKILL)
    parent.stdout.close()
    _wait_gone(child)


def test_a_failing_step_shows_the_end_of_its_output_and_the_advice() -> None:
    with pytest.raises(SetupError, match=r"(?s)no network.*`sh -c .*` failed\. Check the cable\."):
        run(["sh", "-c", "echo no network; exit 1"], "Check the cable.")


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port
        assert listens(port)


def test_the_sample_keeps_its_port_until_another_takes_it(tmp_path: Path) -> None:
    kept = tmp_path / "demo.json"
    first = Ports.choose(kept).sample
    assert Ports.choose(kept).sample == first
    with socket.socket() as other:
        other.bind(("127.0.0.1", first))
        other.listen()
        assert Ports.choose(kept).sample != first


@pytest.mark.django_db
def test_the_password_is_made_once_and_private(tmp_path: Path) -> None:
    kept = tmp_path / "password.txt"
    password = admin_password(kept)
    assert password
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert admin_password(kept) == password


@pytest.mark.django_db
def test_a_password_that_the_admin_changed_is_left_alone(tmp_path: Path, django_user_model) -> None:  # type: ignore[no-untyped-def]
    admin_password(tmp_path / "password.txt")
    admin = django_user_model.objects.get(username="admin")
    admin.set_password("chosen by the admin")
    admin.save()
    assert admin_password(tmp_path / "password.txt") is None
    admin.refresh_from_db()
    assert admin.check_password("chosen by the admin")


class _Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/good" else 500)
        self.end_headers()
        self.wfile.write(b"<h1>Fish &amp; chips</h1>")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Visitor(f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()


def test_a_page_counts_only_with_its_telltale(visitor: Visitor) -> None:
    assert "chips" in visitor.open("good", "Fish & chips")
    with pytest.raises(SetupError, match="good answered without the expected text 'Steak'"):
        visitor.open("good", "Steak")


def test_a_page_that_fails_is_named(visitor: Visitor) -> None:
    with pytest.raises(SetupError, match="bad answered 500"):
        visitor.open("bad", "Fish")


def test_requirements_are_installed_again_when_an_included_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").mkdir()
    runtime, tests, installed = tmp_path / "r.txt", tmp_path / "tests" / "t.txt", tmp_path / "installed.json"
    runtime.write_text("a==1\n")
    tests.write_text("-r ../r.txt\nb==1\n")
    asked: list[str] = []
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "INSTALLED", installed)
    monkeypatch.setattr(bootstrap, "run", lambda command, advice: asked.append(command[-1]))
    bootstrap._install(tests)
    bootstrap._install(tests)
    bootstrap._install(runtime)
    assert asked == [str(tests)]
    runtime.write_text("a==2\n")
    bootstrap._install(tests)
    assert asked == [str(tests), str(tests)]


def test_only_root_on_debian_itself_installs_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not debian.may_install()


@pytest.mark.parametrize("script", ["demo", "test"])
def test_help_needs_nothing_installed(script: str) -> None:
    done = subprocess.run(
        [ROOT / "scripts" / script, "--help"], capture_output=True, text=True, env={"PATH": os.environ["PATH"]}
    )
    assert done.returncode == 0, done.stderr
    assert f"scripts/{script}" in done.stdout


def _pytest_in(directory: Path, test: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a test file with our conftest, without Django."""
    shutil.copy(ROOT / "tests" / "conftest.py", directory)
    (directory / "pytest.ini").write_text("[pytest]\nmarkers =\n    engine: x\n    browser: x\n")
    (directory / "test_it.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-p", "no:django", "-p", "no:cacheprovider", "-ra", str(directory)]
    return subprocess.run(command, capture_output=True, text=True, cwd=directory, env=os.environ | env)


SKIPPING = """
import pytest

def test_runs(): pass

@pytest.mark.engine
def test_needs_an_engine(): pass

@pytest.mark.xfail
def test_is_expected_to_fail(): assert False
"""


@pytest.mark.parametrize(("require_all", "outcome"), [("", "skipped"), ("1", "error")])
def test_a_missing_server_skips_or_fails(require_all: str, outcome: str, tmp_path: Path) -> None:
    totals = tmp_path / "totals.json"
    done = _pytest_in(
        tmp_path,
        SKIPPING,
        DOCKER_HOST="unix:///nonexistent.sock",
        PLIMSOLL_TEST_REQUIRE_ALL=require_all,
        PLIMSOLL_TEST_TOTALS=str(totals),
    )
    counts = json.loads(totals.read_text())
    assert {name: count for name, count in counts.items() if count} == {"passed": 1, outcome: 1, "xfailed": 1}
    assert "no Docker Engine answers" in done.stdout
    assert done.returncode == (1 if require_all else 0)


def test_a_module_that_skips_itself_fails_too(tmp_path: Path) -> None:
    skipped = "import pytest\npytest.skip('only on Mars', allow_module_level=True)\n"
    done = _pytest_in(tmp_path, skipped, PLIMSOLL_TEST_REQUIRE_ALL="1", PLIMSOLL_TEST_TOTALS="")
    assert "only on Mars" in done.stdout
    assert done.returncode != 0


def test_the_total_is_plain_and_names_skips_only_where_there_are_some() -> None:
    assert testing.Totals(Counter(passed=3)).line() == "3 passed, 0 failed"
    assert testing.Totals(Counter(passed=3, failed=1, skipped=2)).line() == "3 passed, 1 failed, 2 skipped"


def test_a_pytest_run_that_tells_no_counts_is_a_failure(tmp_path: Path) -> None:
    totals = testing.Totals()
    run = testing.Run(totals)
    run.pytest("usage error", ["--no-such-option"], os.environ | {"PLIMSOLL_TEST_TOTALS": ""}, tmp_path)
    assert totals.counts["failed"] == 1


LISTENER = r"""
import signal, sys, time
heard = open(sys.argv[1], "w", buffering=1)
signal.signal(signal.SIGINT, lambda *_: heard.write("heard\n"))
heard.write("ready\n")
end = time.monotonic() + 2
while time.monotonic() < end:
    time.sleep(0.1)
"""
BESIDE_LISTENER = """
import os, sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from scripts.lib import testing
from scripts.lib.steps import finish
testing.ROOT = Path.cwd()

def main():
    with testing._Beside(Path("log")) as beside:
        beside.start(lambda run: run.check("listener", {child!r}, os.environ))
        try:
            time.sleep(60)
        finally:
            time.sleep(0.5)  # the other run clears up first

finish(main)
"""


class TestBeside:
    """The second of two runs, whose words are told at the end."""

    def test_it_counts_and_is_told_in_one_piece(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        beside = testing._Beside(tmp_path / "log")
        with beside:
            beside.start(lambda run: [run.check(name, ["echo", name], os.environ) for name in ("one", "two")])
            print("meanwhile")
        assert beside.totals.counts == Counter(passed=2)
        assert capfd.readouterr().out.split() == ["meanwhile", "==", "one", "one", "==", "two", "two"]

    def test_what_fails_there_is_a_failure(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        beside = testing._Beside(tmp_path / "log")
        with beside:
            beside.start(lambda run: run.check("nothing", ["/nonexistent"], os.environ))
        assert beside.totals.counts == Counter(failed=1)
        assert "FileNotFoundError" in capfd.readouterr().out

    def test_an_interrupt_ends_it_and_starts_nothing_more(self, tmp_path: Path) -> None:
        beside = testing._Beside(tmp_path / "log")
        started = tmp_path / "started"

        def work(run: testing.Run) -> None:
            code = f"import time; open({str(started)!r}, 'w'); time.sleep(60)"
            run.check("long", [sys.executable, "-c", code], os.environ)
            run.check("next", ["touch", str(tmp_path / "next")], os.environ)

        def interrupted() -> None:
            with beside:
                beside.start(work)
                wait_until(started.exists, "the first command")
                raise KeyboardInterrupt(2)

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert not (tmp_path / "next").exists()

    def test_ctrl_c_at_a_terminal_reaches_it_once(self, tmp_path: Path) -> None:
        """A second one would cut short what pytest clears up after the first."""
        script, heard = tmp_path / "script.py", tmp_path / "heard"
        (tmp_path / "child.py").write_text(LISTENER)
        script.write_text(BESIDE_LISTENER.format(root=str(ROOT), child=[sys.executable, "child.py", str(heard)]))
        run = subprocess.Popen([sys.executable, script], cwd=tmp_path, start_new_session=True)
        _wait_for(heard)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does
        assert run.wait(60) == 130
        assert heard.read_text() == "ready\nheard\n"


@pytest.mark.parametrize(
    ("arguments", "asks"),
    [
        ([], True),
        (["-x"], True),
        (["tests/end_to_end"], True),
        (["tests/policy"], False),
        (["tests/test_house.py::test_links_lead_somewhere"], False),
    ],
)
def test_a_quick_run_starts_an_engine_only_for_tests_that_need_one(arguments: list[str], asks: bool) -> None:
    assert testing._asks_for_engine(arguments) is asks
