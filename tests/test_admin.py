"""The admin: registries whose secrets stay secret, buttons, policies, and what people may change of a service."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from fleet.admin.size_field import parse_size, show_size
from fleet.celery import app
from fleet.models import Registry, Scan, Service, SizePolicy, Violation
from fleet.models.push import push_url
from tests.fakes.certificates import make_pair
from tests.fakes.pushable import PushableRegistry, day, image

pytestmark = pytest.mark.django_db
SECRET = "hunter2-t0ken"
PUSH = "a-push-secret-of-our-own"
ECR = "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com"
CUT = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"


@pytest.fixture(autouse=True)
def _plain_http(settings) -> Iterator[None]:
    settings.SECURE_SSL_REDIRECT = False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


@pytest.fixture
def server() -> Iterator[PushableRegistry]:
    with PushableRegistry({"team/app": {"1": image(day(0))}}, credentials=("robot", SECRET)) as registry:
        yield registry


@functools.cache
def pair(kind: str = "") -> tuple[str, str]:
    """A certificate and its key; the same each time, another for each kind."""
    return make_pair(b"passphrase" if kind == "locked" else b"")


def pasted(value: str) -> str:
    """What a name in capitals stands for."""
    made = {
        "CERTIFICATE": lambda: pair()[0],
        "KEY": lambda: pair()[1],
        "BOTH": lambda: "".join(pair()),
        "OTHER": lambda: pair("other")[1],
        "LOCKED": lambda: pair("locked")[1],
    }
    return made[value]() if value in made else value


def form(url: str, **changes: Any) -> dict[str, Any]:
    values = {
        "name": "Hub",
        "kind": "distribution",
        "url": url,
        "enabled": "on",
        "login": "password",
        "username": "robot",
        "secret": SECRET,
        "listing": "catalog",
        "include": "",
        "exclude": "",
        "tag_pattern": "*",
        "tag_syntax": "glob",
        "tag_order": "version",
        "history_tags": "12",
        "history_per_scan": "100",
        "sharing": "provider",
        "platform": "linux/amd64",
        "base_mirrors": "",
        "concurrency": "4",
        "crontab": "",
        "interval": "",
    }
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


def add(client: Client, url: str, **changes: Any) -> Registry:
    answer = client.post(reverse("admin:fleet_registry_add"), form(url, **changes))
    assert answer.status_code == 302, errors(answer)
    return Registry.objects.get()


def change(client: Client, registry: Registry, **changes: Any) -> Any:
    return client.post(
        reverse("admin:fleet_registry_change", args=[registry.pk]), form(**{"url": registry.url, **changes})
    )


def errors(answer: Any) -> str:
    return json.dumps(answer.context["adminform"].form.errors) if answer.context else ""


def said(answer: Any) -> str:
    return "\n".join(str(message) for message in get_messages(answer.wsgi_request))


def test_beats_own_interval_is_no_schedule_to_choose_and_shared_ones_are_not_deleted_here(admin_client: Client) -> None:
    own = IntervalSchedule.objects.create(every=15, period="seconds")
    PeriodicTask.objects.create(name="tend", task="fleet.tasks.tend", interval=own)
    hourly = IntervalSchedule.objects.create(every=1, period="hours")
    page = admin_client.get("/admin/fleet/registry/add/")
    field = page.context["adminform"].form.fields["interval"]
    assert list(field.queryset) == [hourly]
    assert not field.widget.can_delete_related
    assert not field.widget.can_change_related
    assert field.widget.can_add_related


class TestSecret:
    def test_it_is_kept_and_never_shown(self, admin_client: Client) -> None:
        registry = add(admin_client, "https://registry.example.com")
        assert registry.secret == SECRET
        for page in (
            reverse("admin:fleet_registry_change", args=[registry.pk]),
            reverse("admin:fleet_registry_changelist"),
            reverse("admin:fleet_registry_history", args=[registry.pk]),
        ):
            answer = admin_client.get(page)
            assert answer.status_code == 200
            assert SECRET not in answer.content.decode()
        assert not any(SECRET in entry.change_message for entry in LogEntry.objects.all())

    def test_it_is_not_sent_back_with_an_error(self, admin_client: Client) -> None:
        answer = admin_client.post(reverse("admin:fleet_registry_add"), form("ftp://registry.example.com"))
        assert answer.status_code == 200
        assert SECRET not in answer.content.decode()

    def test_an_empty_field_keeps_it(self, admin_client: Client) -> None:
        registry = add(admin_client, "https://registry.example.com")
        assert change(admin_client, registry, secret="", name="Renamed").status_code == 302
        registry.refresh_from_db()
        assert (registry.name, registry.secret) == ("Renamed", SECRET)

    def test_a_new_one_replaces_it_and_a_tick_forgets_it(self, admin_client: Client) -> None:
        registry = add(admin_client, "https://registry.example.com")
        change(admin_client, registry, secret="another")
        registry.refresh_from_db()
        assert registry.secret == "another"
        change(admin_client, registry, secret="", forget_secret="on")
        registry.refresh_from_db()
        assert registry.secret == ""

    @pytest.mark.parametrize(
        "url", ["https://evil.example.com", "http://127.0.0.1:9", "https://registry.example.com:444"]
    )
    def test_it_goes_to_no_other_host(self, admin_client: Client, url: str) -> None:
        registry = add(admin_client, "https://registry.example.com")
        answer = change(admin_client, registry, secret="", url=url)
        assert "URL changed" in errors(answer)
        registry.refresh_from_db()
        assert registry.url == "https://registry.example.com"
        assert change(admin_client, registry, secret="again", url=url).status_code == 302

    def test_a_key_and_a_push_secret_are_kept_and_never_shown_either(self, admin_client: Client) -> None:
        certificate, key = pair()
        made = {"client_certificate": certificate, "client_key": key, "push_secret": PUSH}
        registry = add(admin_client, "https://registry.example.com", **made)
        assert (registry.client_key.strip(), registry.push_secret) == (key.strip(), PUSH)
        answer = change(admin_client, registry, secret="", client_certificate=certificate)
        assert answer.status_code == 302, errors(answer)
        registry.refresh_from_db()
        assert (registry.client_key.strip(), registry.push_secret) == (key.strip(), PUSH)
        page = admin_client.get(reverse("admin:fleet_registry_change", args=[registry.pk])).content.decode()
        assert page.count("One is stored; leave empty to keep it.") == 3
        for secret in (PUSH, key.splitlines()[1]):
            assert secret not in page

    def test_no_secret_comes_back_with_an_error(self, admin_client: Client) -> None:
        certificate, key = pair()
        values = form("ftp://x", client_certificate=certificate, client_key=key, push_secret=PUSH)
        page = admin_client.post(reverse("admin:fleet_registry_add"), values).content.decode()
        assert certificate.splitlines()[1] in page
        for secret in (SECRET, PUSH, key.splitlines()[1]):
            assert secret not in page

    def test_a_key_serves_no_other_host_and_a_push_secret_serves_us(self, admin_client: Client) -> None:
        certificate, key = pair()
        made = {"client_certificate": certificate, "client_key": key, "push_secret": PUSH}
        registry = add(admin_client, "https://registry.example.com", **made)
        moved = {"url": "https://evil.example.com", "secret": "again", "client_certificate": certificate}
        answer = change(admin_client, registry, **moved)
        assert list(answer.context["adminform"].form.errors) == ["client_key"]
        assert "URL changed" in errors(answer)
        assert change(admin_client, registry, **moved, client_key=key).status_code == 302
        registry.refresh_from_db()
        assert registry.push_secret == PUSH

    def test_each_has_its_box_to_forget_it(self, admin_client: Client) -> None:
        certificate, key = pair()
        assert "forget_" not in admin_client.get(reverse("admin:fleet_registry_add")).content.decode()
        made = {"client_certificate": certificate, "client_key": key, "push_secret": PUSH}
        registry = add(admin_client, "https://registry.example.com", **made)
        boxes = {"forget_secret": "on", "forget_client_key": "on", "forget_push_secret": "on"}
        page = admin_client.get(reverse("admin:fleet_registry_change", args=[registry.pk])).content.decode()
        assert all(f'name="{box}"' in page for box in boxes)
        assert change(admin_client, registry, secret="", client_certificate="", **boxes).status_code == 302
        registry.refresh_from_db()
        assert (registry.secret, registry.client_key, registry.push_secret) == ("", "", "")

    def test_it_goes_to_no_other_api_of_a_provider(self, admin_client: Client) -> None:
        gitlab = {"listing": "gitlab", "listing_scope": "https://gitlab.example.com platform"}
        registry = add(admin_client, "https://registry.example.com", **gitlab)
        elsewhere = {**gitlab, "listing_scope": "https://evil.example.com platform"}
        assert "another API" in errors(change(admin_client, registry, secret="", **elsewhere))
        narrower = {**gitlab, "listing_scope": "https://gitlab.example.com platform/backend"}
        assert change(admin_client, registry, secret="", **narrower).status_code == 302
        assert change(admin_client, registry, secret="again", **elsewhere).status_code == 302

    @pytest.mark.parametrize(
        ("url", "listing", "scope"),
        [
            ("https://ghcr.io", "github", "acme"),
            ("https://registry.gitlab.com", "gitlab", "platform"),
            ("https://europe-west1-docker.pkg.dev", "google", "acme-images"),
        ],
    )
    def test_a_listing_alone_brings_it_to_no_other_host(
        self, admin_client: Client, url: str, listing: str, scope: str
    ) -> None:
        certificate, key = pair()
        registry = add(admin_client, url, client_certificate=certificate, client_key=key)
        changes = {"listing": listing, "listing_scope": scope, "client_certificate": certificate}
        answer = change(admin_client, registry, secret="", **changes)
        assert list(answer.context["adminform"].form.errors) == ["secret"]
        assert "another API" in errors(answer)
        registry.refresh_from_db()
        assert registry.listing == "catalog"
        assert change(admin_client, registry, secret="again", **changes).status_code == 302
        # It was entered for this listing: what else changes is none of its business.
        assert change(admin_client, registry, secret="", include="acme*", **changes).status_code == 302
        registry.refresh_from_db()
        assert (registry.secret, registry.client_key.strip()) == ("again", key.strip())

    @pytest.mark.parametrize(("listing", "scope"), [("harbor", "library"), ("gitlab", "platform"), ("names", "")])
    def test_a_listing_of_the_registrys_own_host_keeps_it(self, admin_client: Client, listing: str, scope: str) -> None:
        registry = add(admin_client, "https://code.example.com:5050")
        changes = {"listing": listing, "listing_scope": scope, "include": "team/app"}
        assert change(admin_client, registry, secret="", **changes).status_code == 302
        registry.refresh_from_db()
        assert registry.secret == SECRET

    def test_a_listing_elsewhere_needs_none_where_it_is_forgotten(self, admin_client: Client) -> None:
        registry = add(admin_client, "https://ghcr.io")
        github = {"listing": "github", "listing_scope": "acme", "username": ""}
        assert change(admin_client, registry, secret="", forget_secret="on", **github).status_code == 302
        registry.refresh_from_db()
        assert registry.secret == ""

    def test_one_that_no_key_opens_must_be_entered_again(self, admin_client: Client, settings) -> None:
        registry = add(admin_client, "https://registry.example.com")
        settings.PLIMSOLL_SECRET_KEYS = ["MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="]
        assert "decrypted" in errors(change(admin_client, registry, secret=""))
        assert change(admin_client, registry, secret="", forget_secret="on").status_code == 302


class TestForm:
    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"url": "registry.example.com"}, "with its scheme"),
            ({"url": "ftp://registry.example.com"}, "with its scheme"),
            ({"url": "https://user:pass@registry.example.com"}, "no login"),
            ({"url": "http://registry.example.com"}, "plain HTTP"),
            ({"url": "images", "kind": "layout"}, "absolute path"),
            ({"url": "/var/run/docker.sock", "kind": "engine"}, "where the engine listens"),
            ({"platform": "linux"}, "OS/ARCH"),
            ({"base_mirrors": "docker.io"}, "mirror"),
            ({"listing": "names"}, "at least one repository"),
            ({"listing": "names", "include": "team/*"}, "exact name"),
            ({"url": "images", "kind": "archive"}, "absolute path"),
            ({"url": "/srv/images", "kind": "layout", "listing": "harbor"}, "distribution API"),
            ({"listing": "github"}, "one organisation or user"),
            ({"listing": "google"}, "no Google project"),
            ({"listing": "ecr"}, "no registry of Amazon ECR"),
            ({"listing": "ecr", "url": ECR}, "AWS access key only"),
            ({"listing": "gitlab", "listing_scope": "https:// platform"}, "no URL of an API"),
            ({"tag_pattern": "(", "tag_syntax": "regex"}, "regular expression"),
            ({"tag_pattern": "newest", "tag_syntax": "semver"}, "version"),
            ({"listing_scope": "team"}, "Only a provider"),
            ({"login": "ecr"}, "Amazon ECR alone"),
            ({"login": "ecr", "url": ECR, "secret": ""}, "AWS access key"),
            ({"login": "docker"}, "leave user name and password empty"),
            ({"ca_certificate": "-----BEGIN NONSENSE-----"}, "no certificate in PEM form"),
            ({"ca_certificate": CUT}, "cannot be read"),
            ({"client_certificate": "CERTIFICATE"}, "has no key"),
            ({"client_certificate": "BOTH"}, "its own field"),
            ({"client_key": "KEY"}, "has no certificate"),
            ({"client_certificate": "CERTIFICATE", "client_key": "OTHER"}, "not the key of the client certificate"),
            ({"client_certificate": "CERTIFICATE", "client_key": "LOCKED"}, "passphrase"),
            ({"client_certificate": "CERTIFICATE", "client_key": "nonsense"}, "key cannot be read"),
            ({"name_rules": "strip:team/\ntitle"}, "Line 2"),
            ({"owner_rules": "payments/*"}, "Line 1"),
            ({"push_secret": "short"}, "at least 16"),
            ({"push_secret": "p" * 32, "generate_push_secret": "on"}, "not both"),
            ({"requests_per_minute": "0"}, "greater than or equal to 1"),
        ],
    )
    def test_a_mistake_gets_a_sentence(self, admin_client: Client, changes: dict[str, Any], sentence: str) -> None:
        changes = {name: pasted(value) for name, value in changes.items()}
        url = changes.pop("url", "https://registry.example.com")
        answer = admin_client.post(reverse("admin:fleet_registry_add"), form(url, **changes))
        assert answer.status_code == 200
        assert sentence in errors(answer)
        assert not Registry.objects.exists()

    @pytest.mark.parametrize(
        ("kind", "url"),
        [
            ("engine", "unix:///var/run/docker.sock"), ("layout", "/srv/images"), ("archive", "/srv/archives"),
            ("distribution", "https://docker.io"),
        ],
    )  # fmt: skip
    def test_every_kind_has_its_url(self, admin_client: Client, kind: str, url: str) -> None:
        assert add(admin_client, url, kind=kind).url == url

    def test_plain_http_is_for_those_who_say_so(self, admin_client: Client) -> None:
        assert add(admin_client, "http://registry.example.com", plain_http="on").plain_http

    @pytest.mark.parametrize(
        "changes",
        [
            {"listing": "github", "listing_scope": "acme", "url": "https://ghcr.io"},
            {"listing": "harbor"},
            {"listing": "harbor", "listing_scope": "team"},
            {"listing": "ecr", "login": "ecr", "username": "AKIAIOSFODNN7EXAMPLE", "url": ECR},
            {"login": "docker", "username": "", "secret": ""},
            {"ca_certificate": "CERTIFICATE"},
            {"requests_per_minute": "60", "history_per_scan": "5"},
            {"name_rules": "strip:team/", "owner_rules": "payments/* = Payments team\npath:1"},
            {"tag_pattern": ">=2.1 <3", "tag_syntax": "semver", "tag_order": "date"},
            {"tag_pattern": "v[0-9]+(-rc[0-9]+)?", "tag_syntax": "regex"},
        ],
    )
    def test_what_belongs_together_is_taken(self, admin_client: Client, changes: dict[str, Any]) -> None:
        values = {"url": "https://registry.example.com", **changes}
        registry = add(admin_client, **{name: pasted(value) for name, value in values.items()})
        for name in changes:
            assert str(getattr(registry, name)) == pasted(changes[name]).strip()

    def test_a_new_url_forgets_what_the_old_one_said_of_its_limits(self, admin_client: Client) -> None:
        registry = add(admin_client, "https://registry.example.com")
        Registry.objects.update(limit_requests=100, limit_remaining=1, resting_until="2030-01-01T00:00Z")
        change(admin_client, registry, secret="")
        registry.refresh_from_db()
        assert registry.limit_remaining == 1
        change(admin_client, registry, url="https://mirror.example.com")
        registry.refresh_from_db()
        assert (registry.limit_requests, registry.limit_remaining, registry.resting_until) == (None, None, None)

    def test_a_made_push_secret_is_shown_once_with_where_to_send(self, admin_client: Client) -> None:
        registry = add(admin_client, "https://registry.example.com", generate_push_secret="on")
        assert len(registry.push_secret) >= 32
        first = admin_client.get(reverse("admin:fleet_registry_changelist")).content.decode()
        assert registry.push_secret in first
        assert f"http://testserver{reverse('push-events', args=[registry.pk])}" in first
        assert f"http://testserver{push_url(registry)}" in first
        for page in (
            reverse("admin:fleet_registry_changelist"),
            reverse("admin:fleet_registry_change", args=[registry.pk]),
            reverse("admin:fleet_registry_history", args=[registry.pk]),
        ):
            assert registry.push_secret not in admin_client.get(page).content.decode()
        before = registry.push_secret
        change(admin_client, registry, secret="", generate_push_secret="on")
        registry.refresh_from_db()
        assert registry.push_secret not in ("", before)

    def test_a_schedule_makes_beats_row_and_deleting_takes_it_away(self, admin_client: Client) -> None:
        interval = IntervalSchedule.objects.create(every=5, period=IntervalSchedule.MINUTES)
        registry = add(admin_client, "https://registry.example.com", interval=interval.pk)
        task = PeriodicTask.objects.get()
        assert (task.interval, json.loads(task.args), task.enabled) == (interval, [registry.pk], True)
        change(admin_client, registry, secret="", interval=interval.pk, enabled=None)
        assert not PeriodicTask.objects.get().enabled
        admin_client.post(reverse("admin:fleet_registry_delete", args=[registry.pk]), {"post": "yes"})
        assert not Registry.objects.exists()
        assert not PeriodicTask.objects.exists()

    def test_the_list_shows_the_last_scan(self, admin_client: Client) -> None:
        registry = add(admin_client, "https://registry.example.com")
        Scan.objects.create(registry=registry, trigger="page", status=Scan.Status.PARTIAL)
        assert "Done with errors" in admin_client.get(reverse("admin:fleet_registry_changelist")).content.decode()


class TestButtons:
    def press(self, client: Client, registry: Registry, name: str) -> Any:
        return client.post(reverse(f"admin:fleet_registry_{name}", args=[registry.pk]))

    def test_the_page_has_them(self, admin_client: Client, server: PushableRegistry) -> None:
        registry = add(admin_client, server.url)
        page = admin_client.get(reverse("admin:fleet_registry_change", args=[registry.pk])).content.decode()
        assert reverse("admin:fleet_registry_test", args=[registry.pk]) in page
        assert reverse("admin:fleet_registry_scan", args=[registry.pk]) in page

    def test_a_good_connection_is_confirmed(self, admin_client: Client, server: PushableRegistry) -> None:
        answer = self.press(admin_client, add(admin_client, server.url), "test")
        assert answer.status_code == 302
        assert "lists 1 repository" in said(answer)

    def test_a_refused_login_and_a_silent_host_are_told_apart(
        self, admin_client: Client, server: PushableRegistry
    ) -> None:
        registry = add(admin_client, server.url, secret="wr0ng-s3cret")
        refused = said(self.press(admin_client, registry, "test"))
        assert "login" in refused
        assert "wr0ng-s3cret" not in refused
        Registry.objects.update(url="http://127.0.0.1:1")
        silent = said(self.press(admin_client, registry, "test")).splitlines()[-1]
        assert "127.0.0.1:1" in silent
        assert "login" not in silent

    def test_scan_now_scans(
        self, admin_client: Client, server: PushableRegistry, django_capture_on_commit_callbacks
    ) -> None:
        registry = add(admin_client, server.url)
        with django_capture_on_commit_callbacks(execute=True):
            answer = self.press(admin_client, registry, "scan")
        assert "started" in said(answer)
        assert Scan.objects.get().status == Scan.Status.DONE
        assert Service.objects.get().snapshot is not None

    def test_a_paused_scan_is_left_to_itself(self, admin_client: Client, django_capture_on_commit_callbacks) -> None:
        registry = add(admin_client, "https://registry.example.com")
        Scan.objects.create(registry=registry, trigger="page", status=Scan.Status.PAUSED)
        with django_capture_on_commit_callbacks() as handed_to_workers:
            answer = self.press(admin_client, registry, "scan")
        assert "paused and goes on by itself" in said(answer)
        assert not handed_to_workers

    @pytest.mark.parametrize("name", ["test", "scan"])
    def test_they_take_a_post_of_who_may_change(self, client: Client, admin_client: Client, name: str) -> None:
        registry = add(admin_client, "http://127.0.0.1:1")
        url = reverse(f"admin:fleet_registry_{name}", args=[registry.pk])
        assert admin_client.get(url).status_code == 405
        reader = User.objects.create_user("reader", password="x", is_staff=True)
        reader.user_permissions.add(Permission.objects.get(codename="view_registry"))
        client.force_login(reader)
        assert client.post(url).status_code == 403
        page = client.get(reverse("admin:fleet_registry_change", args=[registry.pk])).content.decode()
        assert url not in page
        assert SECRET not in page
        for name in ("secret", "client_key", "push_secret"):
            assert f"field-{name}" not in page
        assert not Scan.objects.exists()


class TestPolicies:
    def save(self, client: Client, **limits: str) -> Any:
        return client.post(reverse("admin:fleet_sizepolicy_add"), {"name": "Limit", "enabled": "on", **limits})

    def service(self) -> Service:
        registry = Registry.objects.create(name="Hub", url="https://registry.example.com")
        return Service.objects.create(
            registry=registry, repository="team/app", platform="linux/amd64", compressed_bytes=300_000_000
        )

    def test_saving_and_deleting_flag_services_at_once(self, admin_client: Client) -> None:
        service = self.service()
        assert self.save(admin_client, fail_compressed_bytes="250 MB").status_code == 302
        policy = SizePolicy.objects.get()
        assert policy.fail_compressed_bytes == 250_000_000
        service.refresh_from_db()
        assert service.policy_state == Service.PolicyState.FAIL
        assert Violation.objects.get().limit_bytes == 250_000_000
        page = admin_client.get(reverse("admin:fleet_sizepolicy_change", args=[policy.pk])).content.decode()
        assert 'value="250 MB"' in page
        admin_client.post(reverse("admin:fleet_sizepolicy_delete", args=[policy.pk]), {"post": "yes"})
        service.refresh_from_db()
        assert service.policy_state == Service.PolicyState.NONE

    def test_a_policy_without_limit_or_with_nonsense_is_refused(self, admin_client: Client) -> None:
        assert "at least one limit" in self.save(admin_client).content.decode()
        assert "Write a size" in self.save(admin_client, fail_compressed_bytes="big").content.decode()
        reversed_limits = self.save(admin_client, warn_compressed_bytes="2 GB", fail_compressed_bytes="1 GB")
        assert "Warn at less" in reversed_limits.content.decode()
        assert not SizePolicy.objects.exists()


def scanned(client: Client, url: str, capture_on_commit: Any) -> Service:
    """The one service of a registry that was added and scanned by its button."""
    registry = add(client, url)
    with capture_on_commit(execute=True):
        client.post(reverse("admin:fleet_registry_scan", args=[registry.pk]))
    return Service.objects.get()


class TestServices:
    def test_people_say_owner_weight_and_dockerfile_and_no_more(
        self, admin_client: Client, server: PushableRegistry, django_capture_on_commit_callbacks
    ) -> None:
        service = scanned(admin_client, server.url, django_capture_on_commit_callbacks)
        before = set(service.suggestions.values_list("mode", "obstacle", "dockerfile", "made_at"))
        url = reverse("admin:fleet_service_change", args=[service.pk])
        assert admin_client.get(url).status_code == 200
        SizePolicy.objects.create(name="Ledger's", owner="Ledger", fail_compressed_bytes=1)
        with django_capture_on_commit_callbacks(execute=True):
            answer = admin_client.post(
                url, {"owner": "Ledger", "weight": "3", "dockerfile": "FROM python:3.11\n", "compressed_bytes": "1"}
            )
        assert answer.status_code == 302
        service.refresh_from_db()
        assert (service.owner, service.weight, service.policy_state) == ("Ledger", 3, Service.PolicyState.FAIL)
        assert service.compressed_bytes == image(day(0)).compressed_bytes
        assert set(service.suggestions.values_list("mode", "obstacle", "dockerfile", "made_at")) != before

    def test_new_mirrors_have_the_services_of_a_registry_judged_again(
        self, admin_client: Client, server: PushableRegistry, django_capture_on_commit_callbacks
    ) -> None:
        service = scanned(admin_client, server.url, django_capture_on_commit_callbacks)
        before = set(service.suggestions.values_list("pk", "made_at"))
        url = reverse("admin:fleet_registry_change", args=[service.registry_id])
        changed = form(server.url, base_mirrors="docker.io/library=registry.example.com/hub", secret="")
        with django_capture_on_commit_callbacks(execute=True):
            assert admin_client.post(url, changed).status_code == 302
        assert before
        assert not before & set(service.suggestions.values_list("pk", "made_at"))

    def test_a_dockerfile_that_does_not_parse_is_refused_with_its_line(self, admin_client: Client) -> None:
        registry = Registry.objects.create(name="Hub", url="https://registry.example.com")
        service = Service.objects.create(registry=registry, repository="team/app", platform="linux/amd64")
        url = reverse("admin:fleet_service_change", args=[service.pk])
        answer = admin_client.post(url, {"owner": "", "weight": "1", "dockerfile": "FROM python\nno instruction\n"})
        assert "Line 2" in answer.content.decode()
        service.refresh_from_db()
        assert service.dockerfile == ""

    def test_a_dockerfile_whose_image_cannot_run_is_kept_with_a_warning(self, admin_client: Client) -> None:
        registry = Registry.objects.create(name="Hub", url="https://registry.example.com")
        service = Service.objects.create(registry=registry, repository="team/app", platform="linux/amd64")
        url = reverse("admin:fleet_service_change", args=[service.pk])
        text = "FROM scratch\nCOPY . /app\nCMD python /app/manage.py\n"
        answer = admin_client.post(url, {"owner": "", "weight": "1", "dockerfile": text}, follow=True)
        said = [str(message) for message in answer.context["messages"]]
        assert any("The image of this Dockerfile does not run. Line 3: CMD is in shell form" in one for one in said)
        assert any("Line 3: CMD starts python, scratch is empty" in one for one in said)
        service.refresh_from_db()
        assert service.dockerfile == text

    def test_a_form_that_is_saved_again_changes_no_dockerfile(
        self, admin_client: Client, django_capture_on_commit_callbacks: Any
    ) -> None:
        registry = Registry.objects.create(name="Hub", url="https://registry.example.com")
        text = "FROM scratch\nCOPY . /app\n"
        service = Service.objects.create(
            registry=registry, repository="team/app", platform="linux/amd64", dockerfile=text
        )
        url = reverse("admin:fleet_service_change", args=[service.pk])
        with django_capture_on_commit_callbacks() as handed_to_workers:
            admin_client.post(url, {"owner": "", "weight": "2", "dockerfile": text.replace("\n", "\r\n")})
        service.refresh_from_db()
        assert (service.weight, service.dockerfile) == (2, text)
        assert handed_to_workers == []

    def test_scans_are_for_reading(self, admin_client: Client) -> None:
        registry = Registry.objects.create(name="Hub", url="https://registry.example.com")
        scan = Scan.objects.create(registry=registry, trigger="page", message="It failed.")
        scan.errors.create(repository="team/app", tag="1", message="<script>alert(1)</script>")
        page = admin_client.get(reverse("admin:fleet_scan_change", args=[scan.pk]))
        assert page.status_code == 200
        assert "<script>alert" not in page.content.decode()
        assert admin_client.get(reverse("admin:fleet_scan_add")).status_code == 403
        for model in ("scan", "service", "sizepolicy"):
            assert admin_client.get(reverse(f"admin:fleet_{model}_changelist")).status_code == 200


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("250 MB", 250_000_000),
        ("1.2 GB", 1_200_000_000),
        ("1GiB", 1 << 30),
        ("250000000", 250_000_000),
        ("7 b", 7),
        (" 3 kb ", 3000),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes
    assert parse_size(show_size(size_bytes)) == size_bytes


@pytest.mark.parametrize("text", ["", "MB", "-1 MB", "0", "1 XB", "1e9", "9" * 19 + " GB", "١ MB", "0.1 b"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Write a size"):
        parse_size(text)
