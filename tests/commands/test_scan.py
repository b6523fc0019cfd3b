"""``manage.py scan``: what it prints and how it exits."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from fleet import scanning
from fleet.management.commands.scan import Command
from fleet.models import Registry, Scan, Service, Snapshot
from tests.fakes.pushable import PushableRegistry, day, image

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> Iterator[PushableRegistry]:
    with PushableRegistry({"team/app": {"1": image(day(0))}, "team/other": {"1": image(day(1))}}) as registry:
        yield registry


@pytest.fixture
def registry(server: PushableRegistry) -> Registry:
    return Registry.objects.create(name="Hub", url=server.url)


class Overheard(io.StringIO):
    """Has something happen when the first line is printed: while the first service is read."""

    def __init__(self, happen: Callable[[], object]) -> None:
        super().__init__()
        self.happen = happen

    def write(self, text: str) -> int:
        if not self.tell():
            self.happen()
        return super().write(text)


def run(name: str, output: io.StringIO | None = None) -> tuple[int, str, str]:
    output, errors = output or io.StringIO(), io.StringIO()
    try:
        call_command("scan", name, stdout=output, stderr=errors)
    except SystemExit as end:
        return int(end.code or 0), output.getvalue(), errors.getvalue()
    return 0, output.getvalue(), errors.getvalue()


def test_a_registry_by_its_name(registry: Registry) -> None:
    status, output, errors = run("Hub")
    assert (status, errors) == (0, "")
    assert output.splitlines()[:2] == ["1/2 team/app", "2/2 team/other"]
    assert "2 services, 2 tags, 2 new snapshots" in output
    assert Scan.objects.get().trigger == Scan.Trigger.COMMAND


def test_the_counts_are_worded_by_number(server: PushableRegistry, registry: Registry) -> None:
    server.delete("team/other")
    assert "Done: 1 service, 1 tag, 1 new snapshot, 2 indexed layers, " in run("Hub")[1]


def test_a_service_by_its_repository(registry: Registry) -> None:
    Service.objects.create(registry=registry, repository="team/other", platform="linux/amd64")
    assert run("team/other")[0] == 0
    assert Snapshot.objects.get().service.repository == "team/other"


def test_errors_are_printed_and_change_the_exit_status(registry: Registry, server: PushableRegistry) -> None:
    server.damage(image(day(0)).layers[1])
    status, _, errors = run("Hub")
    assert status == 1
    assert errors.startswith("team/app:1: ")


def test_a_registry_that_does_not_answer_fails(registry: Registry) -> None:
    Registry.objects.update(url="http://127.0.0.1:1")
    status, _, errors = run("Hub")
    assert status == 1
    assert "127.0.0.1:1" in errors


def test_an_unknown_name_lists_near_ones(registry: Registry) -> None:
    Service.objects.create(registry=registry, repository="team/app", platform="linux/amd64")
    with pytest.raises(CommandError, match=r"Did you mean team/app\?") as end:
        run("team/ap")
    assert end.value.returncode == 2


def test_a_repository_in_two_registries_is_not_guessed(registry: Registry) -> None:
    second = Registry.objects.create(name="Spare", url="https://spare.example.com")
    for each in (registry, second):
        Service.objects.create(registry=each, repository="team/app", platform="linux/amd64")
    with pytest.raises(CommandError, match="Several registries"):
        run("team/app")


def test_a_scan_of_another_process_is_left_to_it(registry: Registry, server: PushableRegistry) -> None:
    Scan.objects.create(registry=registry, trigger=Scan.Trigger.SCHEDULE, status=Scan.Status.RUNNING)
    status, _, errors = run("Hub")
    assert status == 1
    assert "Another process" in errors
    assert not server.requests


@pytest.mark.parametrize("days", [0, 1])
def test_a_paused_scan_says_when_a_call_takes_it_up_again(
    registry: Registry, server: PushableRegistry, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """Before that a call leaves it alone, and says the same."""
    noon = timezone.localtime().replace(hour=12, minute=0, second=0, microsecond=0)
    resume_at = noon + timedelta(days=days, minutes=42, seconds=30)
    Scan.objects.create(
        registry=registry, trigger=Scan.Trigger.PAGE, status=Scan.Status.PAUSED, message="Paused.", resume_at=resume_at
    )
    monkeypatch.setattr(timezone, "now", lambda: noon)
    status, output, errors = run("Hub")
    moment = f"12:43 on {resume_at.day} {resume_at:%B}" if days else "12:43"
    assert (status, output) == (1, "")
    assert errors == f"Paused. Call this again after {moment}, or leave it to the workers.\n"
    assert not server.requests


def test_a_paused_scan_whose_time_has_come_is_taken_up(registry: Registry) -> None:
    due = timezone.now() - timedelta(seconds=1)
    Scan.objects.create(registry=registry, trigger=Scan.Trigger.PAGE, status=Scan.Status.PAUSED, resume_at=due)
    assert run("Hub")[0] == 0
    assert Scan.objects.get().status == Scan.Status.DONE


def test_a_scan_that_is_cancelled_meanwhile_is_not_done(registry: Registry) -> None:
    status, _, errors = run("Hub", Overheard(lambda: scanning.cancel(Scan.objects.get())))
    assert status == 1
    assert "The scan was cancelled." in errors


def test_services_that_came_after_the_listing_are_counted(registry: Registry) -> None:
    status, output, _ = run("Hub", Overheard(lambda: Scan.objects.update(services=1)))
    assert status == 0
    assert "Done: 2 services, " in output


def test_the_help_tells_every_exit_status() -> None:
    told = " ".join(Command().create_parser("manage.py", "scan").format_help().split())
    assert (
        "Exit status: 0 done; 1 not all done: with errors, failed, paused, cancelled, or left to another process that "
        "is at it; 2 no such registry or service." in told
    )


def test_a_name_with_brackets_is_shown_as_it_is_on_a_terminal(
    registry: Registry, server: PushableRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    Registry.objects.update(name="Hub [/eu]")
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    call_command("scan", "Hub [/eu]", stdout=terminal, stderr=io.StringIO())
    assert "2 services" in terminal.getvalue()
