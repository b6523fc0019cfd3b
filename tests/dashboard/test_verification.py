"""The button that has a suggestion verified, the page that shows it, and what the ladder makes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from fleet.models import Engine, Service, ServiceProbe, Suggestion, Verification
from fleet.snapshots import digest_of
from tests.dashboard.factories import MB, make_service, make_suggestion, make_user
from tests.dashboard.pages import HTMX, body, queries_of, words

pytestmark = pytest.mark.django_db
EVIL = '</code></pre><script>alert(1)</script>"><img src=x onerror=alert(2)>'
BEHAVIOUR = {
    "refusal": "", "running": True, "exit_code": None, "out_of_memory": False, "port_open": True, "user": "app",
    "answer": {"status": 200, "content_type": "text/html", "location": "", "lines": ["<h1>Shop</h1>"]},
    "stdout": ["listening"], "stderr": [], "seconds": 1.25,
}  # fmt: skip


@pytest.fixture
def engine() -> Engine:
    return Engine.objects.create(name="builder", url="unix:///nowhere/docker.sock")


@pytest.fixture
def suggestion() -> Suggestion:
    return make_suggestion(make_service("shop/api"), recommended=True)


@pytest.fixture
def operator(client: Client) -> Client:
    user = make_user("op")
    user.user_permissions.add(Permission.objects.get(codename="add_verification"))
    client.force_login(user)
    return client


def verified(suggestion: Suggestion, status: str = "verified", **fields: Any) -> Verification:
    values = {
        "reasons": ["Both answer / on port 8000 with status 200."],
        "finished_at": timezone.now(),
        "started_at": timezone.now() - timedelta(seconds=42),
        "measured_compressed_bytes": 104 * MB,
        "measured_unpacked_bytes": 303 * MB,
        "estimated_compressed_bytes": 100 * MB,
        "estimated_unpacked_bytes": 300 * MB,
        "original": BEHAVIOUR,
        "candidate": BEHAVIOUR,
        "probe": {"kind": "http", "path": "/", "port": 8000, "command": [], "variables": []},
        "read_only": True,
        "log": "Step 1/4 : FROM app",
    }
    return Verification.objects.create(
        service=suggestion.service,
        image=suggestion.image,
        mode=suggestion.mode,
        tier=suggestion.tier,
        dockerfile=suggestion.dockerfile,
        dockerfile_sha256=digest_of(suggestion.dockerfile),
        status=status,
        **{**values, **fields},
    )


def service_page(client: Client, service: Service) -> str:
    page = body(client.get(f"/services/{service.pk}/"))
    return page[page.index('id="suggestions"') : page.index('id="findings"')]


@pytest.mark.usefixtures("engine")
def test_only_those_who_may_verify_see_and_use_the_button(reader: Client, suggestion: Suggestion) -> None:
    assert f"/suggestions/{suggestion.pk}/verify/" not in service_page(reader, suggestion.service)
    assert reader.post(f"/suggestions/{suggestion.pk}/verify/").status_code == 403
    verification = verified(suggestion, "running", held_until=timezone.now(), finished_at=None)
    assert reader.post(f"/verifications/{verification.pk}/cancel/").status_code == 403
    assert "Cancel" not in body(reader.get(f"/verifications/{verification.pk}/"))
    assert Verification.objects.get().status == "running"


def test_a_stranger_verifies_nothing(client: Client, suggestion: Suggestion) -> None:
    verification = verified(suggestion)
    for address in (f"/suggestions/{suggestion.pk}/verify/", f"/verifications/{verification.pk}/cancel/"):
        assert client.post(address).headers["Location"].startswith("/accounts/login/")
    assert client.get(f"/verifications/{verification.pk}/").headers["Location"].startswith("/accounts/login/")


def test_without_an_engine_there_is_no_button_and_the_reason_is_said(operator: Client, suggestion: Suggestion) -> None:
    assert "Verif" not in words(service_page(operator, suggestion.service))
    answer = operator.post(f"/suggestions/{suggestion.pk}/verify/", follow=True)
    assert "an administrator has to configure an engine first" in words(answer.content.decode())
    assert not Verification.objects.exists()


@pytest.mark.usefixtures("engine")
def test_the_button_queues_one_verification(
    operator: Client, suggestion: Suggestion, django_capture_on_commit_callbacks: Any
) -> None:
    assert "Not verified yet" in words(service_page(operator, suggestion.service))
    with django_capture_on_commit_callbacks() as handed_to_workers:
        answer = operator.post(f"/suggestions/{suggestion.pk}/verify/")
    verification = Verification.objects.get()
    assert answer.headers["Location"] == f"/verifications/{verification.pk}/"
    assert (verification.status, verification.requested_by.username) == ("queued", "op")
    assert verification.dockerfile == suggestion.dockerfile
    assert len(handed_to_workers) == 1
    operator.post(f"/suggestions/{suggestion.pk}/verify/")
    assert Verification.objects.count() == 1
    Verification.objects.update(status="running")
    answer = operator.post(f"/suggestions/{suggestion.pk}/verify/", follow=True)
    assert "It is being verified already." in answer.content.decode()


@pytest.mark.usefixtures("engine")
def test_a_closed_rung_cannot_be_verified(operator: Client, suggestion: Suggestion) -> None:
    Suggestion.objects.update(dockerfile="", obstacle="Nothing to gain.")
    answer = operator.post(f"/suggestions/{suggestion.pk}/verify/", follow=True)
    assert "There is no Dockerfile to verify here" in words(answer.content.decode())


@pytest.mark.usefixtures("engine")
def test_a_rebuild_asks_for_its_context_first(operator: Client, suggestion: Suggestion) -> None:
    rebuild = make_suggestion(suggestion.service, "rebuild")
    page = service_page(operator, suggestion.service)
    assert f"/suggestions/{rebuild.pk}/verify/" not in page
    assert "A rebuild needs a git URL to build from." in words(page)
    ServiceProbe.objects.create(service=suggestion.service, context="https://git.example.com/x.git")
    assert f"/suggestions/{rebuild.pk}/verify/" in service_page(operator, suggestion.service)


def test_a_page_shows_the_verdict_both_behaviours_and_the_log(reader: Client, suggestion: Suggestion) -> None:
    page = words(body(reader.get(f"/verifications/{verified(suggestion).pk}/")))
    for text in (
        "Verified",
        "Both answer / on port 8000 with status 200.",
        "104 MB measured , +4 % against 100 MB estimated",
        "303 MB measured , +1 % against 300 MB estimated",
        "HTTP GET / on port 8000; no network, no capabilities, read-only",
        "HTTP answer status 200, text/html status 200, text/html",
        "Run started and kept running started and kept running",
        "<h1>Shop</h1>",
        "Step 1/4 : FROM app",
    ):
        assert text in page, text


def test_a_running_one_asks_again_and_one_that_is_over_does_not(reader: Client, suggestion: Suggestion) -> None:
    fields: dict[str, Any] = {"original": None, "candidate": None, "reasons": [], "probe": {}, "finished_at": None}
    verification = verified(suggestion, "running", step="Building", held_until=timezone.now(), **fields)
    address = f"/verifications/{verification.pk}/"
    part = body(reader.get(address, headers=HTMX))
    assert f'hx-get="{address}"' in part
    assert "<html" not in part
    assert "Now Building" in words(part)
    Verification.objects.update(status="failed", finished_at=timezone.now())
    assert "hx-get" not in body(reader.get(address, headers=HTMX))


def test_what_images_say_is_text_and_no_markup(reader: Client, suggestion: Suggestion) -> None:
    said = {**BEHAVIOUR, "stdout": [EVIL], "stderr": [EVIL], "refusal": EVIL, "user": EVIL}
    said["answer"] = {"status": 200, "content_type": EVIL, "location": EVIL, "lines": [EVIL]}
    verification = verified(suggestion, "failed", reasons=[EVIL], log=EVIL, original=said, candidate=said, step=EVIL)
    for address in (f"/verifications/{verification.pk}/", f"/services/{suggestion.service_id}/"):
        page = body(reader.get(address))
        assert "<script>alert" not in page
        assert "<img src=x" not in page


def test_the_ladder_shows_what_was_proven_of_the_present_text_alone(reader: Client, suggestion: Suggestion) -> None:
    verified(suggestion)
    part = words(service_page(reader, suggestion.service))
    assert "104 MB measured, 100 MB estimated" in part
    assert "Verified" in part[: part.index("Repack to slim")], "the rung itself has the mark"
    Suggestion.objects.update(dockerfile="FROM scratch\n")
    part = words(service_page(reader, suggestion.service))
    assert "104 MB" not in part
    assert "Verified" not in part


def test_a_text_that_changed_meanwhile_is_said(reader: Client, suggestion: Suggestion) -> None:
    verification = verified(suggestion)
    Suggestion.objects.update(dockerfile="FROM scratch\n")
    page = words(body(reader.get(f"/verifications/{verification.pk}/")))
    assert "this verification does not count for it" in page


@pytest.mark.usefixtures("engine")
def test_a_running_one_can_be_cancelled(operator: Client, suggestion: Suggestion) -> None:
    verification = verified(suggestion, "running", held_until=timezone.now(), finished_at=None)
    page = words(operator.post(f"/verifications/{verification.pk}/cancel/", follow=True).content.decode())
    assert "was cancelled" in page
    assert Verification.objects.get().status == "cancelled"
    page = words(operator.post(f"/verifications/{verification.pk}/cancel/", follow=True).content.decode())
    assert "was over already" in page


def test_the_number_of_queries_does_not_grow(reader: Client, suggestion: Suggestion) -> None:
    address = f"/verifications/{verified(suggestion).pk}/"
    assert queries_of(reader, address) <= 8
    page = f"/services/{suggestion.service_id}/"
    before = queries_of(reader, page)
    for _ in range(5):
        verified(suggestion)
    assert queries_of(reader, page) == before


class TestAdmin:
    FORM = {
        "name": "builder", "url": "unix:///var/run/docker.sock", "memory_bytes": "1 GB", "cpus": "1.5", "pids": "256",
        "build_seconds": "600", "whole_seconds": "900", "build_network": "", "enabled": "on",
    }  # fmt: skip

    def test_an_engine_is_configured(self, staff: Client) -> None:
        assert staff.post("/admin/fleet/engine/add/", self.FORM).status_code == 302
        row = Engine.objects.get()
        assert (row.memory_bytes, float(row.cpus), row.enabled) == (10**9, 1.5, True)

    @pytest.mark.parametrize(
        ("change", "part"),
        [
            ({"url": "nonsense"}, "no URL of an engine"),
            ({"url": "tcp://ada:enter@engine.example.com:2376"}, "must hold no login"),
            ({"url": "http://engine.example.com:2375"}, "plain HTTP"),
            ({"client_key": "x"}, "key"),
            ({"ca_certificate": "x"}, "certificate"),
            ({"memory_bytes": "1 MB"}, "6291456"),
        ],
    )
    def test_what_cannot_be_is_refused(self, staff: Client, change: dict[str, str], part: str) -> None:
        page = staff.post("/admin/fleet/engine/add/", {**self.FORM, **change})
        assert page.status_code == 200
        assert part in words(page.content.decode())
        assert not Engine.objects.exists()

    def test_an_engine_that_is_away_is_told(self, staff: Client, engine: Engine) -> None:
        form = {"action": "test_connection", "_selected_action": engine.pk}
        page = staff.post("/admin/fleet/engine/", form, follow=True).content.decode()
        assert "/nowhere/docker.sock cannot be reached" in page

    def test_a_probe_keeps_its_variables_to_itself(self, staff: Client, suggestion: Suggestion) -> None:
        form = {"service": suggestion.service_id, "wait_seconds": "60", "environment": "KEY=open sesame", "port": "80"}
        assert staff.post("/admin/fleet/serviceprobe/add/", form).status_code == 302
        row = ServiceProbe.objects.get()
        assert row.environment == "KEY=open sesame"
        address = f"/admin/fleet/serviceprobe/{row.pk}/change/"
        assert "open sesame" not in body(staff.get(address))
        assert staff.post(address, {**form, "environment": "", "port": "81"}).status_code == 302
        row.refresh_from_db()
        assert (row.environment, row.port) == ("KEY=open sesame", 81)

    @pytest.mark.parametrize(
        ("change", "part"),
        [
            ({"environment": "nonsense"}, "no variable"),
            ({"context": "/etc"}, "no git URL"),
            ({"context": "file:///etc"}, "no git URL"),
            ({"context": "https://ada:enter@git.example.com/x.git"}, "no password"),
            ({"path": "health"}, "no HTTP path"),
            ({"command": "'"}, "quotes"),
            ({"tcp": "on"}, "Name the port"),
        ],
    )
    def test_a_probe_that_cannot_be_is_refused(
        self, staff: Client, suggestion: Suggestion, change: dict[str, str], part: str
    ) -> None:
        form = {"service": suggestion.service_id, "wait_seconds": "60", **change}
        page = staff.post("/admin/fleet/serviceprobe/add/", form)
        assert page.status_code == 200
        assert part in words(page.content.decode())

    def test_verifications_are_for_reading(self, staff: Client, suggestion: Suggestion) -> None:
        verification = verified(suggestion)
        assert staff.get(f"/admin/fleet/verification/{verification.pk}/change/").status_code == 200
        assert staff.get("/admin/fleet/verification/").status_code == 200
        assert staff.get("/admin/fleet/verification/add/").status_code == 403
