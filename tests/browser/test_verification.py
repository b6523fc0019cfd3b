"""The button and the live page of a verification, as an operator sees them."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from fleet import tasks
from fleet.models import Engine, Verification
from tests.dashboard.factories import MB, make_service, make_suggestion
from tests.dashboard.test_verification import BEHAVIOUR

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.once]


def test_a_verification_is_asked_for_and_followed_to_its_end(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(tasks.verify_suggestion, "delay", sent.append)  # no worker takes part here
    Engine.objects.create(name="builder", url="unix:///nowhere/docker.sock")
    service = make_service("shop/api")
    make_suggestion(service, recommended=True)
    page.goto(f"/services/{service.pk}/")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    verification = Verification.objects.get()
    assert sent == [verification.pk]
    Verification.objects.update(status="running", step="Building", started_at=timezone.now(), log="Step 1/4 : FROM app")
    expect(page.get_by_text("Step 1/4 : FROM app")).to_be_visible()
    expect(page.get_by_text("Building", exact=True)).to_be_visible()
    Verification.objects.update(
        status="verified",
        step="",
        finished_at=timezone.now(),
        reasons=["Both answer / on port 8000 with status 200 and text/html, the same first lines."],
        measured_compressed_bytes=104 * MB,
        measured_unpacked_bytes=303 * MB,
        original=BEHAVIOUR,
        candidate=BEHAVIOUR,
        probe={"kind": "http", "path": "/", "port": 8000, "command": [], "variables": []},
    )
    expect(page.get_by_text("Both answer / on port 8000")).to_be_visible()
    expect(page.get_by_role("button", name="Verify again")).to_be_visible()
    page.get_by_role("link", name="shop/api").click()
    expect(page.locator(".rung .pill", has_text="Verified")).to_be_visible()
    expect(page.locator(".verify")).to_contain_text("104 MB measured, 100 MB estimated")
