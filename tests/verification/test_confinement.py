"""What an image under test can do: nothing but run, for a while. Asked from within, on a real engine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from fleet.verification.behaviour import FIRST_LINES, Hidden
from fleet.verification.cleanup import Mark, clean
from fleet.verification.containers import OUTPUT_BYTES, Setting, started
from fleet.verification.engine import EngineSettings, Limits, connected
from fleet.verification.images import import_relay
from fleet.verification.probing import Probe
from fleet.verification.running import Room, observe
from fleet.verification.watch import Deadline, Unwatched
from tests.verification.parts import BRIEF, Images, copied, run, scripted, shell

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("clean")]


@contextmanager
def room(limits: Limits = BRIEF) -> Iterator[Room]:
    with connected(EngineSettings(limits=limits)) as engine:
        mark = Mark.fresh(120)
        try:
            relay = import_relay(engine, mark)
            yield Room(engine, mark, relay, Hidden(), Unwatched(), Deadline(limits.whole_seconds))
        finally:
            clean(engine, mark)


def test_there_is_no_network_no_capability_and_nothing_to_write_to(images: Images) -> None:
    script = (
        "ls /sys/class/net; grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; "
        "touch /x 2>/dev/null || echo sealed; touch /tmp/x && echo scratch; "
        "wget -q -T2 -O- http://1.1.1.1/ >/dev/null 2>&1 && echo reached || echo unreachable; "
        "cat /proc/net/route | wc -l"
    )
    image = images.add("asking", {})
    with room() as where:
        behaviour, _ = observe(where, image, scripted(script), read_only=True)
    lines = [" ".join(line.split()) for line in behaviour.stdout]
    assert lines[0] == "lo"
    assert {"CapBnd: 0000000000000000", "CapEff: 0000000000000000", "NoNewPrivs: 1", "Seccomp: 2"} <= set(lines)
    assert "sealed" in lines
    assert "scratch" in lines
    assert "unreachable" in lines
    assert lines[-1] == "1", "the table of routes has its heading alone"


def test_nothing_on_this_machine_is_reachable_from_inside(images: Images) -> None:
    """Not even by the bridge that containers usually share with their host."""
    script = "for host in 172.17.0.1 10.0.0.1 169.254.169.254; do nc -w1 $host 22 </dev/null; echo $?; done"
    image = images.add("knocking", {})
    with room() as where:
        behaviour, _ = observe(where, image, scripted(script), read_only=True)
    assert behaviour.stdout == ("1", "1", "1")


def test_a_fork_bomb_is_held(images: Images) -> None:
    image = images.add("bomb", {}, shell("bomb() { bomb | bomb & }; bomb; sleep 60"))
    with room(replace(BRIEF, pids=24)) as where, started(where.engine, where.mark, image, Setting(True)) as running:
        time.sleep(1.5)
        top = where.engine.ask(lambda client: client.api.top(running.key)) if running.is_running else None
    assert top is None or len(top["Processes"]) <= 24


def test_a_memory_hog_fails_and_the_reason_is_said(images: Images) -> None:
    original = images.add("modest", {}, shell("sleep 100"))
    hog = shell("exec dd if=/dev/zero of=/dev/null bs=300M count=1")
    outcome = run(copied(original, ["bin/busybox"], hog), original, Probe("run"))
    assert (outcome.verdict, outcome.cause) == ("failed", "out-of-memory"), outcome
    assert outcome.reasons[0] == "The candidate ran out of memory, where the original did not."


def test_an_endless_log_is_read_to_a_limit_and_kept_nowhere(images: Images) -> None:
    image = images.add("endless", {}, shell("echo first; yes and so on"))
    with room() as where:
        behaviour, _ = observe(where, image, Probe("run"), read_only=True)
        with started(where.engine, where.mark, image, Setting(True)) as running:
            running.output.wait(5)
            assert len(running.output.stdout) == OUTPUT_BYTES
            assert running.is_running
    assert behaviour.running
    assert len(behaviour.stdout) == FIRST_LINES
    assert behaviour.stdout[:2] == ("first", "and so on")


def test_an_endless_build_is_ended_and_proves_nothing(images: Images) -> None:
    original = images.add("patient", {}, shell("sleep 100"))
    dockerfile = f'FROM {original}\nRUN ["/bin/busybox", "sleep", "600"]\n'
    began_at = time.monotonic()
    outcome = run(dockerfile, original, limits=replace(BRIEF, build_seconds=3.0))
    assert time.monotonic() - began_at < 40
    assert (outcome.verdict, outcome.cause) == ("inconclusive", "time-limit")
    assert "not done within 3 seconds" in outcome.reasons[0]


def test_a_builds_memory_is_limited(images: Images) -> None:
    original = images.add("builder", {}, shell("sleep 100"))
    dockerfile = f'FROM {original}\nRUN ["/bin/busybox", "dd", "if=/dev/zero", "of=/dev/null", "bs=300M", "count=1"]\n'
    outcome = run(dockerfile, original)
    assert outcome.verdict == "failed"
    assert "does not build" in outcome.reasons[0]
