"""Rules on bases, from the admin's form to what a scan and a new judgement suggest."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from fleet import scanning
from fleet.celery import app
from fleet.dockerfile.base_rules import BaseRules
from fleet.models import BaseImage, BaseRule, Registry, Suggestion
from fleet.scanning.reanalysis import StoredBases
from tests.fakes.pushable import PushableRegistry, image, layer
from tests.scanning.runs import only_service, scan

ROOT = layer(
    {"etc/os-release": b'ID=debian\nVERSION_CODENAME="bookworm"\nVERSION_ID="12"\n', "bin/sh": b"\x7fELF" * 250}
)
PYTHON = layer({"usr/local/bin/python3.11": b"\x7fELF" + b"p" * 5_000, "usr/local/lib/python3.11/os.py": b"#"})
FAT = layer({"usr/lib/gcc/cc1": bytes(random.Random(1).randbytes(400_000))})
BASE = image(layers=[ROOT, PYTHON])
SERVICE = image(layers=[ROOT, FAT, PYTHON, layer({"app/main.py": b"print('hello')\n"})])
SLIM = "3.11-slim-bookworm"


@pytest.fixture
def server() -> Iterator[PushableRegistry]:
    images = {"team/app": {"1.0": SERVICE}, "hub/python": {SLIM: BASE}, "corp/python": {SLIM: BASE}}
    with PushableRegistry(images) as registry:
        yield registry


@pytest.fixture
def host(server: PushableRegistry) -> str:
    return server.url.removeprefix("http://")


@pytest.fixture
def registry(db: None, server: PushableRegistry, host: str) -> Registry:
    mirrors = f"docker.io/library={host}/hub"
    return Registry.objects.create(name="Hub", url=server.url, include="team/*", base_mirrors=mirrors)


def slim() -> Suggestion:
    return only_service().suggestions.get(mode="repack", tier="slim")


def suggested() -> set[tuple[str, str]]:
    rows = only_service().suggestions.filter(mode="repack", tier="slim")
    return set(rows.values_list("base_reference", "obstacle"))


def rule(kind: str, pattern: str, **more: str) -> BaseRule:
    return BaseRule.objects.create(kind=kind, pattern=pattern, **more)


class TestScan:
    def test_without_rules_the_mirror_serves(self, registry: Registry, host: str) -> None:
        scan(registry)
        assert suggested() == {(f"{host}/hub/python:{SLIM}", "")}

    def test_a_map_says_what_from_says(self, registry: Registry, host: str) -> None:
        rule("map", "docker.io/library/python", place=f"{host}/corp/python")
        scan(registry)
        assert suggested() == {(f"{host}/corp/python:{SLIM}", "")}
        assert f"FROM {host}/corp/python:{SLIM}@{BASE.digest}" in slim().dockerfile

    def test_a_new_rule_holds_at_once(self, registry: Registry, host: str) -> None:
        scan(registry)
        rule("forbid", "python:3.11*")
        scanning.reconsider(only_service())
        ((reference, obstacle),) = suggested()
        assert reference == ""
        assert obstacle.startswith("The admin forbids python:3.11*: ")
        BaseRule.objects.all().delete()
        scanning.reconsider(only_service())
        assert suggested() == {(f"{host}/hub/python:{SLIM}", "")}

    def test_a_base_without_support_is_named_as_such(self, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        scan(registry)
        assert not [note for note in slim().notes if "left support" in note]
        monkeypatch.setattr(timezone, "localdate", lambda: date(2028, 1, 1))
        scanning.reconsider(only_service())
        (note,) = [note for note in slim().notes if "left support" in note]
        assert "left support on 2027-10-31: Python 3.11 gets no more updates" in note

    def test_what_is_stored_obeys_too(self, registry: Registry, host: str) -> None:
        scan(registry)
        stored = StoredBases(only_service())
        found = stored.find([f"python:{SLIM}"])
        assert found is not None
        assert found.tree is not None
        assert stored.refusal([f"python:{SLIM}"]) == ""
        rule("allow", "registry.corp/*")
        stored = StoredBases(only_service())
        assert stored.find([f"python:{SLIM}"]) is None
        assert stored.refusal([f"python:{SLIM}"]) == (
            f"The admin allows only registry.corp/*: python:{SLIM} is not among them."
        )
        rule("map", "docker.io/library/python", place="registry.corp/base/python")
        BaseImage.objects.update(name=f"registry.corp/base/python:{SLIM}")
        found = StoredBases(only_service()).find([f"python:{SLIM}"])
        assert found is not None
        assert (found.reference, found.source) == (f"registry.corp/base/python:{SLIM}", "registry")

    def test_scratch_needs_nothing_stored(self, registry: Registry) -> None:
        scan(registry)
        found = StoredBases(only_service()).find(["scratch"])
        assert found is not None
        assert found.sizes.unpacked_bytes == 0


class TestRows:
    def test_they_are_gathered_in_one_query(self, db: None, django_assert_num_queries: Any) -> None:
        rule("forbid", "*alpine*", note="no musl")
        rule("allow", "python:*")
        rule("map", "docker.io/library", place="registry.corp/hub")
        with django_assert_num_queries(1):
            rules = BaseRule.objects.gathered()
        assert rules == BaseRules(
            allow=("python:*",),
            forbid=("*alpine*",),
            maps=(("docker.io/library", "registry.corp/hub"),),
            notes=(("*alpine*", "no musl"),),
        )

    @pytest.mark.parametrize(("kind", "place"), [("map", ""), ("allow", "registry.corp/x")])
    def test_a_map_has_a_place_and_nothing_else_has(self, db: None, kind: str, place: str) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            rule(kind, "python", place=place)


class TestAdmin:
    @pytest.fixture(autouse=True)
    def at_once(self, settings: Any) -> Iterator[None]:
        """Plain HTTP, and tasks that run where they are sent."""
        settings.SECURE_SSL_REDIRECT = False
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
        app.conf.task_always_eager = True
        yield
        app.conf.task_always_eager = False

    ADD = "admin:fleet_baserule_add"

    def post(self, client: Client, **values: str) -> Any:
        return client.post(reverse(self.ADD), {"kind": "", "pattern": "", "place": "", "note": "", **values})

    def test_a_rule_is_kept_and_services_are_judged_again(
        self, admin_client: Client, registry: Registry, host: str, django_capture_on_commit_callbacks: Any
    ) -> None:
        scan(registry)
        before = set(only_service().suggestions.values_list("pk", "made_at"))
        with django_capture_on_commit_callbacks(execute=True):
            answer = self.post(admin_client, kind="map", pattern="python", place=f"{host}/corp/python/")
        assert answer.status_code == 302
        assert list(BaseRule.objects.values_list("pattern", "place")) == [
            ("docker.io/library/python", f"{host}/corp/python")
        ]
        assert not before & set(only_service().suggestions.values_list("pk", "made_at"))
        assert suggested() == {(f"{host}/corp/python:{SLIM}", "")}
        with django_capture_on_commit_callbacks(execute=True):
            url = reverse("admin:fleet_baserule_delete", args=[BaseRule.objects.get().pk])
            assert admin_client.post(url, {"post": "yes"}).status_code == 302
        assert suggested() == {(f"{host}/hub/python:{SLIM}", "")}

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({"kind": "forbid", "pattern": "https://x.test/*"}, "Leave the scheme out"),
            ({"kind": "allow", "pattern": "a b"}, "no pattern"),
            ({"kind": "map", "pattern": "python"}, "Say what to use instead"),
            ({"kind": "map", "pattern": "python*", "place": "registry.corp/p"}, "A map has no *"),
            ({"kind": "map", "pattern": "python", "place": "no place"}, "no reference"),
            ({"kind": "forbid", "pattern": "python", "place": "registry.corp/p"}, "Only a rule to use another"),
        ],
    )
    def test_what_is_no_rule_is_refused_with_a_sentence(
        self, admin_client: Client, values: dict[str, str], said: str
    ) -> None:
        answer = self.post(admin_client, **values)
        assert answer.status_code == 200
        assert said in json.dumps(answer.context["adminform"].form.errors)
        assert not BaseRule.objects.exists()

    def test_the_same_rule_twice_is_refused(self, admin_client: Client) -> None:
        rule("forbid", "python:*")
        answer = self.post(admin_client, kind="forbid", pattern=" python:* ")
        assert answer.status_code == 200
        assert "There is such a rule already" in json.dumps(answer.context["adminform"].form.errors)

    def test_the_list_shows_them(self, admin_client: Client) -> None:
        rule("forbid", "<script>*", note="<b>")
        page = admin_client.get(reverse("admin:fleet_baserule_changelist")).content.decode()
        assert "&lt;script&gt;*" in page
        assert "<b>" not in page


class TestCommand:
    def listed(self, *arguments: str) -> list[dict[str, Any]]:
        out = StringIO()
        call_command("bases", "--json", *arguments, stdout=out)
        rows: list[dict[str, Any]] = json.loads(out.getvalue())
        return rows

    def test_it_lists_the_catalog_with_what_was_read(self, registry: Registry) -> None:
        scan(registry)
        rows = {row["reference"]: row for row in self.listed()}
        read = rows[f"python:{SLIM}"]
        assert (read["allowed"], read["use"], read["libc"]) == (True, f"python:{SLIM}", "glibc")
        assert read["compressed_bytes"] == BASE.compressed_bytes
        assert read["unpacked_bytes"] > 0
        assert read["end_of_life"] == "2027-10-31"
        assert rows["python:3.12-slim-bookworm"]["unpacked_bytes"] is None
        assert rows["gcr.io/distroless/cc-debian13:nonroot"]["family"] == "distroless"

    def test_it_obeys_the_rules(self, db: None) -> None:
        rule("forbid", "*alpine*", note="no musl")
        rule("map", "python", place="registry.corp/base/python")
        rows = {row["reference"]: row for row in self.listed("--runtime", "python")}
        assert {row["runtime"] for row in rows.values()} == {"python"}
        assert rows[f"python:{SLIM}"]["use"] == f"registry.corp/base/python:{SLIM}"
        refused = rows["python:3.11-alpine3.20"]
        assert (refused["allowed"], refused["reason"]) == (
            False,
            "The admin forbids *alpine* (no musl): python:3.11-alpine3.20.",
        )
        assert not [row for row in self.listed("--allowed", "--family", "distroless") if not row["allowed"]]

    def test_it_draws_a_table(self, db: None) -> None:
        out = StringIO()
        call_command("bases", "--family", "distroless", "--runtime", "none", stdout=out)
        assert "gcr.io/distroless/static-debian13:nonroot" in out.getvalue()

    def test_what_there_is_none_of_is_said(self, db: None) -> None:
        with pytest.raises(CommandError, match="no such base"):
            call_command("bases", "--family", "scratch", "--runtime", "python")
