"""A registry's page: its state, what it lets us ask, its scans, and what may be done about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule

from dashboard.registry_state import budget_of, next_run
from fleet.models import PushedRepository, Registry, Scan, ScanError
from fleet.models.push import push_url
from fleet.schedule import sync_schedule
from tests.dashboard.factories import make_registry, make_scan, make_service, make_user
from tests.dashboard.pages import body, queries_of, words
from tests.fakes.certificates import make_pair
from tests.fakes.pushable import PushableRegistry, day, image

pytestmark = pytest.mark.django_db
PUSH = "a-push-secret-of-our-own"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def page_of(client: Client, registry: Registry) -> str:
    return body(client.get(f"/registries/{registry.pk}/"))


def tile(page: str, name: str) -> str:
    part = page[page.index(f'<dt class="tile-name">{name}</dt>') :]
    return words(part[: part.index("</div>")])


def member(*permissions: str) -> Client:
    user = make_user("member")
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def server() -> Iterator[PushableRegistry]:
    with PushableRegistry({"team/app": {"1": image(day(0))}}, credentials=("robot", "hunter2")) as registry:
        yield registry


def test_it_says_what_the_registry_is_and_how_it_is_read(reader: Client) -> None:
    registry = make_registry(
        "hub", username="robot", secret="hunter2", listing="harbor", listing_scope="team", tag_pattern=">=2, <3",
        tag_syntax="semver", tag_order="date", history_tags=7, concurrency=2, requests_per_minute=60,
        ca_certificate="PEM", client_certificate="PEM", client_key="k3y",
    )  # fmt: skip
    text = words(page_of(reader, registry))
    assert "Kind Registry (distribution API) URL https://registry.example.com" in text
    assert "Login user name and password or token, with a client certificate" in text
    assert "Connection HTTPS, with its own certificate authority" in text
    assert "from Harbor's projects within team" in text
    assert "the 7 newest of >=2, <3 (version range), by newest image, for linux/amd64" in text
    assert "2 services at a time, at most 60 requests a minute" in text
    assert "Push events off" in text


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "none: it is read anonymously"),
        ({"login": "docker"}, "Docker's configuration on the workers"),
        ({"login": "ecr", "username": "AKIA", "secret": "x"}, "AWS access key"),
    ],
)
def test_the_login_is_named_by_its_kind(reader: Client, fields: dict[str, str], told: str) -> None:
    assert f"Login {told}" in words(page_of(reader, make_registry(**fields)))


def test_a_client_certificate_says_until_when_it_holds(reader: Client) -> None:
    now = timezone.now()
    certificate, key = make_pair(ends=now + timedelta(days=40))
    text = words(page_of(reader, make_registry(client_certificate=certificate, client_key=key)))
    until = now + timedelta(days=40)
    assert f"with a client certificate until {until.day} {until:%b %Y}" in text
    ended, key = make_pair(ends=NOON)
    text = words(page_of(reader, make_registry(client_certificate=ended, client_key=key)))
    assert "with a client certificate that ended on 2 Mar 2026" in text


def test_no_secret_is_on_it_nor_read_for_it(staff: Client, django_assert_max_num_queries: Any) -> None:
    registry = make_registry("hub", username="robot", secret="hunter2", client_key="k3y-k3y", push_secret=PUSH)
    scan = make_scan(registry)
    for address in (
        f"/registries/{registry.pk}/",
        "/registries/",
        f"/scans/?registry={registry.pk}",
        f"/scans/{scan.pk}/",
    ):
        page = body(staff.get(address))
        assert not [secret for secret in ("hunter2", "k3y-k3y", PUSH) if secret in page], address
    client = member()
    with django_assert_max_num_queries(20) as captured:
        page_of(client, registry)
    selected = [query["sql"].split(" FROM ")[0] for query in captured if '"fleet_registry"' in query["sql"]]
    assert selected
    for column in ("secret", "client_key", "push_secret"):
        assert not [
            sql
            for sql in selected
            if f'SELECT "fleet_registry"."{column}"' in sql or f', "fleet_registry"."{column}"' in sql
        ]


def test_the_schedule_is_in_words_with_its_next_run(reader: Client) -> None:
    registry = make_registry(crontab=CrontabSchedule.objects.create(minute="0", hour="3"))
    sync_schedule(registry)
    at_three = timezone.localtime().replace(hour=3, minute=0, second=0, microsecond=0)
    if at_three <= timezone.localtime():
        at_three += timedelta(days=1)
    text = tile(page_of(reader, registry), "Next scan")
    assert f"{at_three.day} {at_three:%b}, 03:00" in text
    assert "At 03:00" in text
    assert "On demand" in tile(page_of(reader, make_registry()), "Next scan")


def test_an_interval_counts_from_its_last_run() -> None:
    registry = make_registry(interval=IntervalSchedule.objects.create(every=6, period=IntervalSchedule.HOURS))
    task = sync_schedule(registry)
    assert task is not None
    now = timezone.now()
    task.last_run_at = now - timedelta(hours=2)
    run = next_run(registry, now)
    assert run is not None
    assert abs((run - now) - timedelta(hours=4)) < timedelta(seconds=30)
    task.last_run_at = now - timedelta(hours=9)
    assert next_run(registry, now) == now
    registry.enabled = False
    assert next_run(registry, now) is None


def test_what_the_registry_lets_us_ask(reader: Client) -> None:
    registry = make_registry(
        limit_requests=200, limit_remaining=83, limit_window_seconds=21600,
        limit_seen_at=timezone.now() - timedelta(minutes=12),
    )  # fmt: skip
    assert "83 of 200 in 6 hours, as of 12 minutes ago" in tile(page_of(reader, registry), "Requests left")
    assert "83 of 200 left, 12 minutes ago" in words(body(reader.get("/registries/")))
    free = make_registry()
    assert "Not metered" in tile(page_of(reader, free), "Requests left")
    assert "not metered" in words(body(reader.get("/registries/")))


@pytest.mark.parametrize(
    ("kind", "url"), [(Registry.Kind.ENGINE, "unix:///var/run/docker.sock"), (Registry.Kind.LAYOUT, "/srv/images")]
)
def test_what_only_a_registry_has_is_no_fact_of_an_engine_or_a_directory(reader: Client, kind: str, url: str) -> None:
    text = words(page_of(reader, make_registry(kind=kind, url=url)))
    assert "only registries have limits" in text
    assert "Repositories all that it holds" in text
    for fact in ("Login", "Connection", "catalog", "the registry allows", "the registry names no limit"):
        assert fact not in text
    registry = words(page_of(reader, make_registry()))
    assert "from the registry's catalog" in registry or "from the registry&#x27;s catalog" in registry
    assert "as fast as the registry allows" in registry


def test_a_limit_without_what_is_left_is_shown_as_such(reader: Client) -> None:
    registry = make_registry(limit_requests=200, limit_window_seconds=21600, limit_seen_at=timezone.now())
    assert "Unknown it allows 200 in 6 hours" in tile(page_of(reader, registry), "Requests left")
    assert "200 in 6 hours left: unknown" in words(body(reader.get("/registries/")))


def test_a_budget_is_full_again_when_its_window_has_turned() -> None:
    registry = Registry(limit_requests=200, limit_remaining=0, limit_window_seconds=21600, limit_seen_at=NOON)
    soon, later = budget_of(registry, NOON + timedelta(hours=5)), budget_of(registry, NOON + timedelta(hours=6))
    assert soon is not None
    assert later is not None
    assert (soon.remaining, soon.turned, soon.is_low) == (0, False, True)
    assert (later.remaining, later.turned, later.is_low) == (200, True, False)


def test_a_registry_that_rests_says_until_when_and_why(reader: Client) -> None:
    until = timezone.now() + timedelta(minutes=30, seconds=20)
    registry = make_registry(resting_until=until)
    reason = "Paused: hub.example.com allows no more requests now."
    make_scan(registry, status=Scan.Status.PAUSED, message=reason, resume_at=until, finished_at=None)
    text = words(page_of(reader, registry))
    assert f"asked again at {timezone.localtime(until):%H:%M} , in 30 minutes" in text or "asked again on" in text
    assert text.count(reason) == 2  # in the message and in the list of scans
    assert "Resting" in words(body(reader.get("/registries/")))
    Registry.objects.update(resting_until=timezone.now() - timedelta(seconds=1))
    assert "left alone" not in words(page_of(reader, registry))
    assert "Resting" not in words(body(reader.get("/registries/")))


def test_services_are_counted_present_gone_and_not_weighed(reader: Client) -> None:
    registry = make_registry()
    make_service(registry=registry, history_left=12)
    make_service(registry=registry, history_left=3)
    make_service(registry=registry, gone_at="2026-01-01T00:00Z", history_left=99)
    registry.services.create(repository="new", platform="linux/amd64")
    make_service()
    page = page_of(reader, registry)
    assert "Services 3 1 not weighed yet, 1 gone" in tile(page, "Services")
    assert "15 older versions will be read by the next scans" in words(page)


def test_the_history_says_what_went_wrong_and_what_to_do(reader: Client) -> None:
    registry = make_registry()
    first = make_scan(registry, status=Scan.Status.PARTIAL, error_count=1, services=12, services_done=12, snapshots=4)
    ScanError.objects.create(scan=first, repository="shop/api", tag="1.0", message="The blob is <cut>. Push it again.")
    ScanError.objects.create(scan=first, repository="charts", level="notice", message="A Helm chart.")
    page = page_of(reader, registry)
    text = words(page)
    assert "What the latest scan could not read 1 error" in text
    assert "shop/api 1.0 The blob is <cut>. Push it again." in text
    assert "A Helm chart." not in text
    assert "12 / 12 4" in text
    assert f'href="/scans/{first.pk}/"' in page
    failed = make_scan(registry, status=Scan.Status.FAILED, message="The login was refused: check the token.")
    make_scan(registry, status=Scan.Status.RUNNING, finished_at=None, services=9, services_done=2)
    text = words(page_of(reader, registry))
    assert "The scan before failed. Go to the scan The login was refused: check the token." in text
    assert "is running : 2 of 9 services are done." in text or "is running: 2 of 9 services are done." in text
    assert "shop/api" not in text
    assert f"#{failed.pk}" in text


def test_scans_of_single_services_neither_flood_the_page_nor_speak_for_the_registry(reader: Client) -> None:
    registry = make_registry()
    make_scan(registry, status=Scan.Status.PARTIAL, error_count=1).errors.create(message="The whole could not be read.")
    service = make_service("shop/api", registry=registry)
    make_scan(
        registry, service=service, trigger=Scan.Trigger.PUSH, status=Scan.Status.FAILED, message="Only of this one."
    )
    for _ in range(5):
        make_scan(registry, service=service, trigger=Scan.Trigger.PUSH, status=Scan.Status.QUEUED, finished_at=None)
    text = words(page_of(reader, registry))
    assert "The whole could not be read." in text
    assert "The latest scan failed" not in text
    assert text.count("is queued , of shop/api alone") + text.count("is queued, of shop/api alone") == 3
    assert "2 more scans of it are under way." in text


def test_a_long_history_ends_with_the_way_to_all_of_it(reader: Client) -> None:
    registry = make_registry("hub")
    for _ in range(21):
        make_scan(registry)
    other = make_scan(make_registry("other"))
    page = page_of(reader, registry)
    assert page.count("/ 3</td>") == 20
    assert f'href="/scans/?registry={registry.pk}"' in page
    scans = words(body(reader.get(f"/scans/?registry={registry.pk}")))
    assert "Scans of hub" in scans
    assert "21 scans" in scans
    assert f"#{other.pk} " not in scans


@pytest.mark.parametrize("wanted", ["", "x", "999", "-1", "9" * 40, "1;", "²"])
def test_scans_of_a_registry_that_is_not_there_are_all_scans(reader: Client, wanted: str) -> None:
    make_scan(make_registry())
    assert "1 scan" in words(body(reader.get("/scans/", {"registry": wanted})))


def test_the_way_in_is_everywhere(staff: Client) -> None:
    service = make_service()
    scan = make_scan(service.registry)
    for address in ("/registries/", "/scans/", f"/scans/{scan.pk}/", f"/services/{service.pk}/"):
        assert f'href="/registries/{service.registry_id}/"' in body(staff.get(address)), address
    admin = body(staff.get(f"/admin/fleet/registry/{service.registry_id}/change/"))
    assert f"/registries/{service.registry_id}/" in admin


def test_push_events_show_their_url_to_those_who_may_change_alone(reader: Client) -> None:
    registry = make_registry(push_secret=PUSH)
    PushedRepository.objects.create(registry=registry, repository="shop/api")
    url, with_token = f"http://testserver/events/{registry.pk}/", f"http://testserver{push_url(registry)}"
    page = page_of(member("change_registry"), registry)
    assert f">{url}<" in page
    assert f">{with_token}<" in page
    seen = page_of(reader, registry)
    assert "Push events taken; 1 repository waits to be read" in words(seen)
    assert f"/events/{registry.pk}/" not in seen


def test_buttons_are_for_those_who_may_use_them(staff: Client, reader: Client) -> None:
    registry = make_registry()
    buttons = ("Scan now", "Test connection", f"/admin/fleet/registry/{registry.pk}/change/")
    assert all(button in page_of(staff, registry) for button in buttons)
    assert not any(button in page_of(reader, registry) for button in buttons)
    assert reader.post(f"/registries/{registry.pk}/test/").status_code == 403
    assert staff.get(f"/registries/{registry.pk}/test/").status_code == 405


def test_the_connection_is_tested_from_the_page(server: PushableRegistry) -> None:
    registry = make_registry("hub", url=server.url, username="robot", secret="hunter2")
    client = member("change_registry")
    answer = client.post(f"/registries/{registry.pk}/test/", follow=True)
    assert answer.redirect_chain == [(f"/registries/{registry.pk}/", 302)]
    assert "hub answers and lists 1 repository." in words(body(answer))
    Registry.objects.update(secret="wr0ng")
    Registry.objects.filter(pk=registry.pk).first()
    registry.secret = "wr0ng"
    registry.save()
    refused = words(body(client.post(f"/registries/{registry.pk}/test/", follow=True)))
    assert "login" in refused
    assert "wr0ng" not in refused


def test_queries_do_not_grow_with_scans_and_services(reader: Client) -> None:
    registry = make_registry()

    def add() -> None:
        service = make_service(registry=registry)
        scan = make_scan(registry, service=service, status=Scan.Status.PARTIAL, error_count=1)
        ScanError.objects.create(scan=scan, message="No.")
        PushedRepository.objects.create(registry=registry, repository=service.repository)

    add()
    few = queries_of(reader, f"/registries/{registry.pk}/")
    for _ in range(8):
        add()
    assert queries_of(reader, f"/registries/{registry.pk}/") == few


def test_hostile_text_stays_text(staff: Client) -> None:
    evil = "<script>alert(1)</script>"
    registry = make_registry(evil, url=f"https://{evil}", listing_scope=evil, tag_pattern=evil)
    scan = make_scan(registry, status=Scan.Status.PARTIAL, message=evil, service=make_service(evil, registry=registry))
    ScanError.objects.create(scan=scan, repository=evil, tag=evil, message=evil)
    make_scan(registry, status=Scan.Status.PAUSED, message=evil, finished_at=None)
    assert "<script>alert" not in page_of(staff, registry)
    assert "<script>alert" not in body(staff.get(f"/scans/?registry={registry.pk}"))
