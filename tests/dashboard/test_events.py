"""The endpoint of push events: who may send, what comes of it, and what it never gives away."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.test import Client
from django.urls import reverse

from fleet.celery import app
from fleet.models import PushedRepository, Registry, Scan, Snapshot
from fleet.models.push import push_token, push_url
from fleet.models.secret import UNREADABLE
from fleet.oci.events import BODY_LIMIT_BYTES
from fleet.oci.media_types import OCI_MANIFEST
from tests import servers
from tests.dashboard.factories import make_registry
from tests.fakes.pushable import PushableRegistry, day, image
from tests.oci.content import make_sample, push

pytestmark = pytest.mark.django_db
SECRET = "correct horse: bättery staple"
ENVELOPE = "application/vnd.docker.distribution.events.v2+json"


@pytest.fixture
def registry(db: None) -> Registry:
    return make_registry("Hub", push_secret=SECRET)


def event(*repositories: str) -> bytes:
    targets = [{"mediaType": OCI_MANIFEST, "repository": repository} for repository in repositories or ("team/app",)]
    return json.dumps({"events": [{"action": "push", "target": target} for target in targets]}).encode()


def send(
    registry: Registry | int,
    body: bytes | None = None,
    *,
    token: str = "",
    content_type: str = ENVELOPE,
    **headers: str,
) -> Any:
    """From a program that is signed in nowhere, through every middleware."""
    number = registry if isinstance(registry, int) else registry.pk
    address = f"/events/{number}/{token}/" if token else f"/events/{number}/"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    client = Client(enforce_csrf_checks=True)
    return client.post(address, event() if body is None else body, content_type=content_type, headers=named)


def as_header(text: str) -> str:
    """UTF-8 bytes, as WSGI hands them over."""
    return text.encode().decode("latin-1")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def proven(registry: Registry, body: bytes | None = None, **more: Any) -> Any:
    return send(registry, body, Authorization=as_header(f"Bearer {SECRET}"), **more)


class TestWhoMaySend:
    @pytest.mark.parametrize(
        "header",
        [
            as_header(SECRET),
            as_header(f"Bearer {SECRET}"),
            as_header(f"bearer  {SECRET}"),
            basic("anybody", SECRET),
            basic("", SECRET),
        ],
    )
    def test_the_secret_in_the_authorization_header(self, registry: Registry, header: str) -> None:
        response = send(registry, Authorization=header)
        assert (response.status_code, response.json()) == (202, {"accepted": 1})

    def test_a_signature_of_the_body(self, registry: Registry) -> None:
        body = event()
        assert send(registry, body, X_Hub_Signature_256=signature(body)).status_code == 202

    def test_the_url_for_those_who_can_be_given_nothing_else(self, registry: Registry) -> None:
        url = push_url(registry)
        assert SECRET not in url
        assert Client().post(url, event(), content_type=ENVELOPE).status_code == 202

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": ""},
            {"Authorization": "Bearer "},
            {"Authorization": "Bearer wrong"},
            {"Authorization": as_header(SECRET[:-1])},
            {"Authorization": as_header(f"Token {SECRET}")},
            {"Authorization": basic(SECRET, "")},
            {"Authorization": "Basic ?"},
            {"Authorization": "Bearer \u20ac"},
            {"X_Hub_Signature_256": signature(event("team/other"))},
            {"X_Hub_Signature_256": signature(event(), "wrong")},
            {"X_Hub_Signature_256": signature(event(), "")},
            {"X_Hub_Signature_256": "sha256="},
            {"X_Hub_Signature": signature(event())},
        ],
    )
    def test_a_forged_event_is_refused_and_does_nothing(self, registry: Registry, headers: dict[str, str]) -> None:
        assert send(registry, **headers).status_code == 403
        assert not PushedRepository.objects.exists()

    def test_a_token_opens_one_registry_until_its_secret_changes(self, registry: Registry) -> None:
        other, token = make_registry("Spare", push_secret=SECRET), push_token(registry)
        assert send(registry, token=token).status_code == 202
        assert send(other, token=token).status_code == 403
        assert send(registry, token=token[:-1]).status_code == 403
        assert send(registry, token="ä").status_code == 403
        Registry.objects.filter(pk=registry.pk).update(push_secret="another")
        assert send(registry, token=token).status_code == 403

    def test_refusals_do_not_tell_why(self, registry: Registry) -> None:
        without = make_registry("Without")
        disabled = make_registry("Disabled", push_secret=SECRET, enabled=False)
        good = {"Authorization": as_header(SECRET)}
        answers = [
            send(registry, Authorization="wrong"),
            send(registry, b"no event", Authorization="wrong"),
            send(without, **good),
            send(without, X_Hub_Signature_256=signature(event(), "")),
            send(disabled, **good),
            send(disabled, token=push_token(disabled)),
            send(10**6, **good),
            send(10**30, **good),
        ]
        assert {answer.status_code for answer in answers} == {403}
        assert len({answer.content for answer in answers}) == 1
        assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1

    def test_a_secret_that_cannot_be_decrypted_is_none(self, registry: Registry, settings: Any) -> None:
        settings.PLIMSOLL_SECRET_KEYS = [Fernet.generate_key().decode()]
        registry.refresh_from_db()
        assert push_url(registry) == ""
        forged = hmac.new(UNREADABLE.encode(), str(registry.pk).encode(), hashlib.sha256).hexdigest()
        assert send(registry, token=forged).status_code == 403
        assert send(registry, X_Hub_Signature_256=signature(event(), UNREADABLE)).status_code == 403


class TestWhatIsAnswered:
    def test_only_posts_are_taken(self, registry: Registry) -> None:
        response = Client().get(f"/events/{registry.pk}/")
        assert (response.status_code, response.headers["Allow"]) == (405, "POST")

    def test_a_body_that_is_no_event_is_told_what_is(self, registry: Registry) -> None:
        response = proven(registry, b'{"hello": "world"}', content_type="application/json")
        assert response.status_code == 400
        assert "no push event that is known" in response.json()["error"]

    def test_a_large_body_is_refused_before_it_is_read(self, registry: Registry) -> None:
        class Unread(io.BytesIO):
            def read(self, *_: Any) -> bytes:
                raise AssertionError("read")

        response = Client().post(
            f"/events/{registry.pk}/",
            content_type=ENVELOPE,
            headers={"Authorization": as_header(SECRET)},
            **{"wsgi.input": Unread(), "CONTENT_LENGTH": str(BODY_LIMIT_BYTES + 1)},
        )
        assert response.status_code == 413

    def test_too_many_events_are_too_large(self, registry: Registry) -> None:
        assert proven(registry, event(*["a"] * 1001)).status_code == 413

    @pytest.mark.parametrize("length", ["many", "-1"])
    def test_a_length_that_is_none_is_the_senders_fault(self, registry: Registry, length: str) -> None:
        headers = {"Authorization": as_header(SECRET)}
        response = Client().post(
            f"/events/{registry.pk}/", event(), content_type=ENVELOPE, headers=headers, CONTENT_LENGTH=length
        )
        assert response.status_code == 400

    def test_an_event_of_another_kind_is_taken_and_does_nothing(self, registry: Registry) -> None:
        response = proven(registry, b'{"type": "DELETE_ARTIFACT", "event_data": {}}', content_type="application/json")
        assert (response.status_code, response.json()) == (202, {"accepted": 0})
        assert not PushedRepository.objects.exists()

    def test_each_sender_is_understood_over_http(self, registry: Registry) -> None:
        data = {"repository": "team/cloud"}
        headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "image.pushed"}
        assert (
            proven(registry, json.dumps(data).encode(), content_type="application/json", **headers).status_code == 202
        )
        package = {"package_type": "container", "namespace": "team", "name": "hub"}
        body = json.dumps({"action": "published", "package": package}).encode()
        signed = {"X-Hub-Signature-256": signature(body), "X-GitHub-Event": "package"}
        assert send(registry, body, content_type="application/json", **signed).status_code == 202
        assert {row.repository for row in PushedRepository.objects.all()} == {"team/cloud", "team/hub"}


class TestWhatComesOfIt:
    def test_a_storm_is_one_row_and_one_task(self, registry: Registry, django_capture_on_commit_callbacks: Any) -> None:
        with django_capture_on_commit_callbacks() as handed_to_workers:
            for _ in range(20):
                assert proven(registry, event("team/app", "team/app")).json() == {"accepted": 2}
        assert [row.repository for row in registry.pushed.all()] == ["team/app"]
        assert len(handed_to_workers) == 1

    def test_what_is_new_among_what_waits_is_told_to_workers(
        self, registry: Registry, django_capture_on_commit_callbacks: Any
    ) -> None:
        other = make_registry("Spare")
        PushedRepository.objects.create(registry=registry, repository="team/app")
        PushedRepository.objects.create(registry=other, repository="team/new")
        with django_capture_on_commit_callbacks() as handed_to_workers:
            proven(registry, event("team/app", "team/new"))
        assert {row.repository for row in registry.pushed.all()} == {"team/app", "team/new"}
        assert len(handed_to_workers) == 1

    def test_a_push_is_read_from_the_registry(
        self, registry: Registry, at_once: None, django_capture_on_commit_callbacks: Any
    ) -> None:
        with PushableRegistry({"team/app": {"1": image(day(0))}, "team/other": {"1": image(day(1))}}) as server:
            Registry.objects.filter(pk=registry.pk).update(url=server.url)
            with django_capture_on_commit_callbacks(execute=True):
                proven(registry)
        assert [each.service.repository for each in Snapshot.objects.all()] == ["team/app"]
        assert Scan.objects.get().trigger == Scan.Trigger.PUSH
        assert not PushedRepository.objects.exists()


@pytest.fixture
def at_once() -> Iterator[None]:
    """Tasks run where they are sent."""
    app.conf.task_always_eager = app.conf.task_eager_propagates = True
    yield
    app.conf.task_always_eager = app.conf.task_eager_propagates = False


class TestWhatIsLogged:
    @pytest.fixture
    def log(self) -> Iterator[io.StringIO]:
        """What the process writes to its standard error."""
        text = io.StringIO()
        handlers = [each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler]
        before = [each.setStream(text) for each in handlers]
        yield text
        for handler, stream in zip(handlers, before, strict=True):
            handler.setStream(stream)

    def test_neither_token_nor_secret(self, registry: Registry, log: io.StringIO, settings: Any) -> None:
        token = push_token(registry)
        settings.ALLOWED_HOSTS = ["plimsoll.example.com"]
        send(registry, token=token, Host="elsewhere.example.com")
        settings.ALLOWED_HOSTS = ["*"]
        send(registry, b"no event", token=token)
        send(registry, token=f"{token[:-1]}x", Authorization=SECRET[:-1])
        Client().get(f"/events/{registry.pk}/{token}/")
        Client().post(f"/events/{registry.pk}/{token}/more/")
        written = log.getvalue()
        assert written.count(f"/events/{registry.pk}/[token]") == 4
        assert token[:-1] not in written
        assert SECRET[:-1] not in written

    def test_a_failure_of_ours_hides_it_too(self, registry: Registry, log: io.StringIO, monkeypatch: Any) -> None:
        token = push_token(registry)

        def fail(*_: Any) -> None:
            raise RuntimeError(f"no way to /events/{registry.pk}/{token}/")

        monkeypatch.setattr("fleet.oci.events.pushed", fail)
        client = Client(raise_request_exception=False)
        assert client.post(reverse("push-events-by-url", args=[registry.pk, token])).status_code == 500
        assert "RuntimeError" in log.getvalue()
        assert token not in log.getvalue()


@pytest.mark.registry
def test_what_debians_registry_sends_is_accepted(registry: Registry, tmp_path: Path) -> None:
    """The events of a real push, recorded on the way: layers first, then the manifest."""
    Registry.objects.filter(pk=registry.pk).update(push_secret="plain-enough")
    with Recorder() as recorder:
        settings = (
            "notifications: {endpoints: [{name: plimsoll, timeout: 5s, threshold: 3, backoff: 1s, "
            "ignore: {actions: [pull]}, "
            f"url: '{recorder.url}', headers: {{Authorization: [Bearer plain-enough]}}}}]}}\n"
        )
        with servers.debian_registry(tmp_path, settings) as server:
            push(server, "team/real", "1.0", make_sample())
            servers.wait_until(lambda: b"manifests" in b"".join(body for _, body in recorder.posts), "the events")
    accepted = 0
    for headers, body in recorder.posts:
        given = headers["Authorization"]
        response = send(registry, body, content_type=headers["Content-Type"], Authorization=given)
        assert response.status_code == 202
        accepted += response.json()["accepted"]
    assert accepted == 1
    assert [row.repository for row in PushedRepository.objects.all()] == ["team/real"]


class Recorder:
    """A server that keeps what is posted to it."""

    def __init__(self) -> None:
        self.posts: list[tuple[Any, bytes]] = []
        posts = self.posts

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posts.append((self.headers, body))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/events"

    def __enter__(self) -> Recorder:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
