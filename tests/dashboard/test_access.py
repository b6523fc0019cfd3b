"""Who may see what, and the headers that every page carries."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from fleet.models import Scan
from tests.dashboard.factories import make_registry, make_scan, make_service, make_suggestion, make_user

pytestmark = pytest.mark.django_db


def test_every_page_asks_a_stranger_to_sign_in(client: Client) -> None:
    service = make_service()
    suggestion, scan = make_suggestion(service), make_scan(service.registry)
    names = ("ranking", "ranking-csv", "scans", "registries", "policies")
    addresses = [reverse(name) for name in names]
    addresses += [reverse("service", args=[service.pk]), reverse("scan", args=[scan.pk])]
    addresses += [reverse("registry", args=[service.registry_id])]
    addresses += [reverse("dockerfile", args=[suggestion.pk])]
    for address in addresses:
        assert client.get(address).headers["Location"].startswith("/accounts/login/?next="), address


def test_a_stranger_starts_no_scan(client: Client) -> None:
    service = make_service()
    for address in (
        reverse("service-scan", args=[service.pk]),
        reverse("registry-scan", args=[service.registry_id]),
        reverse("registry-test", args=[service.registry_id]),
        reverse("scan-cancel", args=[1]),
    ):
        assert client.post(address).headers["Location"].startswith("/accounts/login/")
    assert not Scan.objects.exists()


def test_healthz_is_open_and_asks_the_database(client: Client, django_assert_num_queries) -> None:
    with django_assert_num_queries(1):
        response = client.get("/healthz")
    assert response.json() == {"status": "ok"}


@pytest.mark.parametrize("address", ["/", "/healthz", "/admin/", "/accounts/login/", "/nowhere/"])
def test_every_answer_forbids_scripts_and_styles_that_are_not_ours(staff: Client, address: str) -> None:
    policy = staff.get(address).headers["Content-Security-Policy"]
    directives = dict(each.split(" ", 1) for each in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert "unsafe" not in policy


def test_no_page_needs_an_inline_script_or_style(staff: Client) -> None:
    service = make_service(savings=10)
    make_suggestion(service)
    scan = make_scan(service.registry, status=Scan.Status.RUNNING)
    addresses = ["/", "/registries/", "/scans/", "/policies/", f"/services/{service.pk}/", f"/scans/{scan.pk}/"]
    addresses += [f"/registries/{service.registry_id}/", f"/admin/fleet/registry/{service.registry_id}/change/"]
    for address in addresses:
        page = staff.get(address).content.decode()
        assert " style=" not in page, address
        assert "<style" not in page, address
        assert page.count("<script>") == 0, address


def test_signing_in_leads_to_the_ranking(client: Client) -> None:
    make_user("ada")
    response = client.post("/accounts/login/", {"username": "ada", "password": "secret-enough"})
    assert response.headers["Location"] == "/"


def test_a_wrong_password_is_told_and_read_out(client: Client) -> None:
    make_user("ada")
    page = client.post("/accounts/login/", {"username": "ada", "password": "no"}).content.decode()
    assert 'role="alert"' in page
    assert "correct username and password" in page


def test_a_missing_page_says_where_to_go(staff: Client) -> None:
    response = staff.get("/services/999/")
    assert response.status_code == 404
    assert "Go to the ranking" in response.content.decode()


@pytest.mark.parametrize("what", ["service", "registry"])
def test_only_those_who_may_scan_see_and_use_the_button(reader: Client, what: str) -> None:
    service = make_service()
    page, action = {
        "service": (f"/services/{service.pk}/", f"/services/{service.pk}/scan/"),
        "registry": ("/registries/", f"/registries/{service.registry_id}/scan/"),
    }[what]
    assert "Scan now" not in reader.get(page).content.decode()
    assert reader.post(action).status_code == 403
    assert not Scan.objects.exists()


def test_staff_who_may_only_look_start_nothing(client: Client) -> None:
    user, service = make_user(), make_service()
    user.is_staff = True
    user.save()
    user.user_permissions.add(Permission.objects.get(codename="view_registry"))
    client.force_login(user)
    assert client.post(f"/registries/{service.registry_id}/scan/").status_code == 403
    assert not Scan.objects.exists()


def test_the_permission_to_add_scans_is_enough(client: Client, django_capture_on_commit_callbacks) -> None:
    user, service = make_user(), make_service()
    user.user_permissions.add(Permission.objects.get(codename="add_scan"))
    client.force_login(user)
    assert "Scan now" in client.get(f"/services/{service.pk}/").content.decode()
    with django_capture_on_commit_callbacks() as handed_to_workers:
        response = client.post(f"/services/{service.pk}/scan/")
    scan = Scan.objects.get()
    assert response.headers["Location"] == f"/scans/{scan.pk}/"
    assert (scan.service, scan.registry, scan.trigger) == (service, service.registry, Scan.Trigger.PAGE)
    assert len(handed_to_workers) == 1


def test_a_scan_that_runs_is_shown_instead_of_a_second_one(staff: Client, django_capture_on_commit_callbacks) -> None:
    registry = make_registry("hub")
    running = make_scan(registry, status=Scan.Status.RUNNING, finished_at=None)
    with django_capture_on_commit_callbacks() as handed_to_workers:
        response = staff.post(f"/registries/{registry.pk}/scan/", follow=True)
    assert response.redirect_chain[-1][0] == f"/scans/{running.pk}/"
    assert f"Scan {running.pk} of hub is under way already." in response.content.decode()
    assert Scan.objects.count() == 1
    assert not handed_to_workers


def test_a_paused_scan_is_shown_and_left_to_itself(staff: Client, django_capture_on_commit_callbacks) -> None:
    registry = make_registry("hub")
    paused = make_scan(registry, status=Scan.Status.PAUSED, finished_at=None)
    with django_capture_on_commit_callbacks() as handed_to_workers:
        response = staff.post(f"/registries/{registry.pk}/scan/", follow=True)
    assert response.redirect_chain[-1][0] == f"/scans/{paused.pk}/"
    assert f"Scan {paused.pk} of hub is paused and goes on by itself." in response.content.decode()
    assert not handed_to_workers


def test_a_button_cannot_be_pressed_from_another_site(db: None) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(staff=True))
    response = client.post(f"/registries/{make_registry().pk}/scan/")
    assert response.status_code == 403
    assert "Nothing was changed." in response.content.decode()
