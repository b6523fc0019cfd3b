"""Registries that answer badly, over real HTTP: what a whole scan then says, and that it ends."""

from __future__ import annotations

import gzip
import re
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from django.utils import timezone

from fleet.models import Image, Registry, Scan, Service, Snapshot
from fleet.oci import zones
from fleet.oci.origin import Origin
from fleet.sample.registry import Request, Response
from fleet.scanning import budget, lifecycle
from tests.fakes import faulty
from tests.fakes.faulty import UNKNOWN, FaultyRegistry, document, redirect, text
from tests.fakes.registry import Reply, ScriptedRegistry
from tests.faults.conftest import NEWEST, OLDER, SECRET, Scanned, told

pytestmark = pytest.mark.once

Status = Scan.Status
MANIFEST = {"Content-Type": NEWEST.document.media_type}
LAYER = NEWEST.layers[1].digest
BLOB = f"/blobs/{LAYER}"
HISTORY_IS_KEPT = ["1.0", "1.1"]


def tags_known() -> list[str]:
    return sorted(Snapshot.objects.values_list("tag", flat=True))


class TestLogin:
    def test_a_registry_that_asks_for_the_login_for_ever(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault("", faulty.challenge("Basic"))
        found = scanned()
        assert found.status == Status.FAILED
        assert found.sentence == ("REGISTRY refused the login for its API. Check user name and password or token.")
        assert len(server.requests) == 2

    def test_a_registry_that_refuses_every_token(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault("/token", document({"token": "t0ken"}))
        server.fault("/v2/", faulty.challenge(f'Bearer realm="{server.url}/token",service="x",scope="y"'))
        found = scanned()
        assert found.status == Status.FAILED
        assert found.sentence == ("REGISTRY refused the login for its API. Check user name and password or token.")
        assert len(server.requests) <= 4
        assert "t0ken" not in str(found)

    def test_a_realm_that_asks_for_the_login_for_ever(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault("/token", faulty.challenge(f'Bearer realm="{server.url}/token"'))
        server.fault("/v2/", faulty.challenge(f'Bearer realm="{server.url}/token"'))
        found = scanned()
        assert found.status == Status.FAILED
        assert found.sentence == "REGISTRY refused the login for a token. Check user name and password or token."

    def test_a_token_without_end(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault("/token", faulty.endless(b'{"token": "aaaa', {"Content-Type": "application/json"}))
        server.fault("/v2/", faulty.challenge(f'Bearer realm="{server.url}/token"'))
        found = scanned()
        assert found.status == Status.FAILED
        assert found.sentence == "REGISTRY sent more than 65536 bytes where a short answer belongs. Check the URL."

    @pytest.mark.parametrize("token", ["", "two words", "a\r\nX-Injected: 1", "é", ["a"], None, "x" * 60_000])
    def test_a_token_that_is_none(self, server: FaultyRegistry, scanned: Scanned, token: object) -> None:
        server.fault("/token", document({"token": token}))
        server.fault("/v2/", faulty.challenge(f'Bearer realm="{server.url}/token"'))
        found = scanned()
        assert found.status == Status.FAILED
        assert re.search("no usable token|is malformed: token", found.sentence), found.sentence

    def test_a_realm_in_the_clouds_metadata_gets_nothing(self, server: FaultyRegistry, scanned: Scanned) -> None:
        realm = "http://169.254.169.254/latest/api/token"
        server.fault("/v2/", faulty.challenge(f'Bearer realm="{realm}"'))
        found = scanned()
        assert found.status == Status.FAILED
        assert found.sentence.startswith("REGISTRY refers to 169.254.169.254, which is in a private network")
        assert found.sentence.endswith("It was not followed. Check the registry's configuration.")

    def test_a_password_in_a_realm_is_not_repeated(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault("/v2/", faulty.challenge(f'Bearer realm="http://user:{SECRET}@other.test/token"'))
        found = scanned()
        assert found.status == Status.FAILED
        assert found.sentence == (
            "REGISTRY refers to a URL that cannot be followed. Its administrator has to correct it."
        )

    def test_an_error_that_quotes_the_login_is_not_repeated(self, server: FaultyRegistry, scanned: Scanned) -> None:
        errors = [{"code": "DENIED", "message": f"https://robot:{SECRET}@registry.test is denied"}]
        server.fault("/tags/list", document({"errors": errors}, 403))
        found = scanned()
        assert found.status == Status.FAILED
        assert "DENIED: https://registry.test is denied" in found.message


class TestTooManyRequests:
    @pytest.fixture(autouse=True)
    def patience(self, haste: object, monkeypatch: pytest.MonkeyPatch) -> None:
        """As in earnest: a scan pauses for a service before it records what is wrong there."""
        monkeypatch.setattr(lifecycle, "PATIENCE_FOR_A_SERVICE", 2)

    @pytest.mark.parametrize("form", ["seconds", "date"])
    def test_a_short_wait_is_waited_for(self, server: FaultyRegistry, scanned: Scanned, form: str) -> None:
        def limited(_request: Request, _right: Response) -> Response:
            date = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
            return document({}, 429, **{"Retry-After": "0" if form == "seconds" else date})

        server.fault("/manifests/", limited, times=1)
        found = scanned()
        assert (found.status, found.errors, found.message) == (Status.DONE, (), "")
        assert tags_known() == HISTORY_IS_KEPT

    @pytest.mark.parametrize("form", ["seconds", "date"])
    @pytest.mark.parametrize("where", ["/v2/_catalog", "/tags/list", "/manifests/", "/blobs/"])
    def test_a_long_wait_pauses_the_scan_until_then(
        self, server: FaultyRegistry, registry: Registry, scanned: Scanned, form: str, where: str
    ) -> None:
        date = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
        server.fault(where, document({}, 429, **{"Retry-After": "7200" if form == "seconds" else date}))
        found = scanned()
        assert found.status == Status.PAUSED
        assert found.message == (
            "Paused: REGISTRY limits how often it may be asked. Scan less often, or sign in. "
            "The scan goes on by itself."
        )
        assert found.errors == ()
        resume_at = found.scan.resume_at
        assert resume_at is not None
        assert timedelta(hours=1, minutes=59) < resume_at - timezone.now() < timedelta(hours=2, minutes=1)
        asked = len(server.requests)
        assert scanned().status == Status.PAUSED
        assert len(server.requests) == asked

    @pytest.mark.parametrize("where", ["/v2/_catalog", "/tags/list", "/manifests/", "/blobs/"])
    def test_a_paused_scan_goes_on_where_it_rested(
        self, server: FaultyRegistry, registry: Registry, scanned: Scanned, where: str
    ) -> None:
        server.fault(where, document({}, 429, **{"Retry-After": "7200"}))
        assert scanned().status == Status.PAUSED
        server.heal()
        Scan.objects.update(resume_at=timezone.now())
        budget.wake(registry.pk)
        found = scanned()
        assert (found.status, found.errors, found.message) == (Status.DONE, (), "")
        assert tags_known() == HISTORY_IS_KEPT
        assert Scan.objects.count() == 1


class TestServerErrors:
    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_burst_is_asked_through(self, server: FaultyRegistry, scanned: Scanned, status: int) -> None:
        for where in ("/v2/$", "_catalog", "/tags/list", "/manifests/", "/blobs/"):
            server.fault(where, Response(status), times=2)
        found = scanned()
        assert (found.status, found.errors) == (Status.DONE, ())
        assert tags_known() == HISTORY_IS_KEPT

    def test_endless_errors_end_the_scan(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault("", Response(503))
        found = scanned()
        assert found.status == Status.FAILED
        assert found.sentence == "REGISTRY failed with status 503 for its API. Try again later."
        assert len(server.requests) <= 3

    def test_endless_errors_for_one_blob_cost_that_image_alone(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault(BLOB, Response(500))
        found = scanned()
        assert found.status == Status.PARTIAL
        assert found.errors == (
            ("1.1", f"REGISTRY failed with status 500 for blob {LAYER} of team/app. Try again later."),
        )
        assert tags_known() == HISTORY_IS_KEPT


# For what is slow on purpose alone: a busy machine is slow by itself.
IMPATIENT = {"read_seconds": 0.4, "body_seconds": 0.6, "crawl_seconds": 0.3}


class TestBodies:
    def test_a_slow_manifest_is_given_up(
        self, server: FaultyRegistry, scanned: Scanned, haste: Callable[..., None]
    ) -> None:
        haste(**IMPATIENT)
        server.fault(f"/manifests/{NEWEST.digest}", faulty.slowly(0.1))
        started = time.monotonic()
        found = scanned()
        assert time.monotonic() - started < 20
        assert found.status in (Status.PARTIAL, Status.FAILED)
        assert "REGISTRY sent its answer too slowly. Try again later." in str(found.errors)

    def test_a_blob_that_crawls_is_given_up(
        self, server: FaultyRegistry, scanned: Scanned, haste: Callable[..., None]
    ) -> None:
        haste(**IMPATIENT)
        server.fault(BLOB, faulty.slowly(0.05))
        started = time.monotonic()
        found = scanned()
        assert time.monotonic() - started < 20
        assert found.status in (Status.PARTIAL, Status.FAILED)
        assert "REGISTRY sends too slowly. Try again later." in str(found.errors)

    def test_a_registry_that_falls_silent_is_given_up(
        self, server: FaultyRegistry, scanned: Scanned, haste: Callable[..., None]
    ) -> None:
        haste(**IMPATIENT)
        server.fault("/tags/list", faulty.slowly(3, 10))
        found = scanned()
        assert found.status == Status.FAILED
        assert found.sentence == "REGISTRY stopped sending. Try again later."

    @pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
    def test_a_cut_blob_is_taken_up_where_it_broke_off(
        self, server: FaultyRegistry, scanned: Scanned, part: float
    ) -> None:
        server.fault(BLOB, faulty.cut(part), times=1)
        found = scanned()
        assert (found.status, found.errors) == (Status.DONE, ())
        assert Service.objects.get().unpacked_bytes is not None

    def test_a_blob_that_is_always_cut_ends_in_a_sentence(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault(BLOB, faulty.cut(0.5))
        found = scanned()
        assert found.status == Status.PARTIAL
        ((tag, sentence),) = found.errors
        assert tag == "1.1"
        assert sentence.startswith(f"REGISTRY ended its answer early, 3 times at the same place: {LAYER} came to ")
        assert sentence.endswith("Its stored copy is cut: push the image again.")

    def test_a_cut_manifest_is_asked_for_again(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault(f"/manifests/{NEWEST.digest}", faulty.cut(0.5), times=1)
        found = scanned()
        assert (found.status, found.errors) == (Status.DONE, ())

    def test_a_content_length_that_is_too_small(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault(f"/manifests/{NEWEST.digest}", faulty.claiming(-20))
        found = scanned()
        assert found.status == Status.PARTIAL
        ((tag, sentence),) = found.errors
        assert tag == "1.1"
        assert sentence.endswith("The stored copy is damaged: push it again.")

    def test_a_content_length_that_is_too_large(self, server: FaultyRegistry, scanned: Scanned) -> None:
        """As a connection that breaks off does; all of the others can be read."""
        server.fault(f"/manifests/{NEWEST.digest}", faulty.claiming(20))
        found = scanned()
        assert found.status == Status.PARTIAL
        assert found.errors == (("1.1", "REGISTRY ended its answer early. Try again later."),)

    def test_a_blob_whose_content_length_is_too_small(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault(BLOB, faulty.claiming(-20))
        found = scanned()
        assert found.status == Status.PARTIAL
        ((tag, sentence),) = found.errors
        assert (tag, LAYER in sentence) == ("1.1", True)

    def test_a_blob_whose_content_length_is_too_large_is_taken_when_all_of_it_came(
        self, server: FaultyRegistry, scanned: Scanned
    ) -> None:
        """Its digest is proof enough."""
        server.fault(BLOB, faulty.claiming(20))
        found = scanned()
        assert (found.status, found.errors) == (Status.DONE, ())

    @pytest.mark.parametrize("length_bytes", [2 << 30, UNKNOWN], ids=["stated", "endless"])
    def test_a_manifest_of_two_gibibytes_is_not_read(
        self, server: FaultyRegistry, scanned: Scanned, length_bytes: int
    ) -> None:
        server.fault(f"/manifests/{NEWEST.digest}", faulty.endless(b" " * 65_536, MANIFEST, length_bytes))
        found = scanned()
        assert found.status == Status.PARTIAL
        ((tag, sentence),) = found.errors
        assert tag == "1.1"
        assert sentence == (
            "REGISTRY sent more than 65536 bytes where a short answer belongs. Check the URL."
            if length_bytes == UNKNOWN
            else "REGISTRY has 2147483648 bytes to send, more than the 65536 that belong in such an answer. "
            "It was not read. Check the URL."
        )
        assert found.scan.received_bytes < 1 << 20

    def test_a_manifest_that_is_inflated_on_the_way(self, server: FaultyRegistry, scanned: Scanned) -> None:
        """A coding that nobody asked for: a few bytes may be gigabytes."""
        coded = gzip.compress(bytes(10 << 20))
        server.fault(
            f"/manifests/{NEWEST.digest}", text(coded, MANIFEST["Content-Type"], **{"Content-Encoding": "gzip"})
        )
        found = scanned()
        assert found.status == Status.PARTIAL
        ((tag, sentence),) = found.errors
        assert (tag, "encoded as gzip, though it was asked not to" in sentence) == ("1.1", True)

    def test_headers_by_the_thousand(self, server: FaultyRegistry, scanned: Scanned) -> None:
        many = {f"X-{number}": "x" for number in range(2000)}
        server.fault("/tags/list", document({"tags": ["1.0"]}, **many))
        found = scanned()
        assert found.status == Status.FAILED
        assert found.sentence == (
            "REGISTRY closed the connection or does not speak HTTP. Check the URL, or try again later."
        )

    def test_a_header_without_end(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault("/tags/list", document({"tags": ["1.0"]}, Link="<" + "x" * 200_000))
        found = scanned()
        assert found.status == Status.FAILED
        assert found.sentence == (
            "REGISTRY closed the connection or does not speak HTTP. Check the URL, or try again later."
        )


class TestDigests:
    def test_a_manifest_that_is_another(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault(f"/manifests/{NEWEST.digest}", faulty.altered)
        found = scanned()
        assert found.status == Status.PARTIAL
        ((tag, sentence),) = found.errors
        assert (tag, sentence[:60]) == ("1.1", f"REGISTRY was asked for {NEWEST.digest}"[:60])
        assert sentence.endswith("The stored copy is damaged: push it again.")
        assert not Image.objects.filter(digest=NEWEST.digest).exists()

    def test_a_blob_that_is_another(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault(BLOB, faulty.altered)
        found = scanned()
        assert found.status == Status.PARTIAL
        ((tag, sentence),) = found.errors
        assert tag == "1.1"
        assert LAYER in sentence
        assert sentence.endswith(("push it again.", "Push the image again."))

    def test_a_config_that_is_another(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault(f"/blobs/{NEWEST.config.digest}", faulty.altered)
        found = scanned()
        assert found.status == Status.PARTIAL
        ((tag, sentence),) = found.errors
        assert tag == "1.1"
        assert sentence.endswith("The stored copy is damaged: push it again.")


class TestLists:
    def test_the_same_page_for_ever(self, server: FaultyRegistry, scanned: Scanned) -> None:
        link = {"Link": '</v2/team/app/tags/list?last=1.1>; rel="next"'}
        server.fault("/tags/list", document({"tags": ["1.0", "1.1"]}, **link))
        found = scanned()
        assert (found.status, found.errors) == (Status.DONE, ())
        assert tags_known() == HISTORY_IS_KEPT
        assert len(server.requests) < 40

    def test_fresh_pages_for_ever(self, server: FaultyRegistry, scanned: Scanned) -> None:
        def page(request: Request, _right: Response) -> Response:
            number = int(request.query.get("last", "0")) + 1
            link = {"Link": f'</v2/_catalog?last={number}>; rel="next"'}
            return document({"repositories": [f"team/app{number}"]}, **link)

        server.fault("/v2/_catalog", page)
        found = scanned()
        assert found.status == Status.FAILED
        assert found.sentence == "REGISTRY lists more repositories than can be read. Name what matters instead."
        assert not Service.objects.exists()

    def test_a_page_on_another_host_is_not_asked_for(self, server: FaultyRegistry, scanned: Scanned) -> None:
        with ScriptedRegistry({"/v2/team/app/tags/list": Reply(200, {}, b'{"tags":["evil"]}')}) as other:
            link = {"Link": f'<http://localhost:{other.port}/v2/team/app/tags/list>; rel="next"'}
            server.fault("/tags/list", document({"tags": ["1.0"]}, **link))
            found = scanned()
            assert other.requests == []
        assert found.status == Status.FAILED
        assert found.sentence == (
            "REGISTRY continues its list on another host. It was not followed. Check the registry's configuration."
        )

    def test_a_tag_that_is_listed_twice_is_read_once(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault("/tags/list", document({"tags": ["1.1", "1.0", "1.1", "1.1"]}))
        found = scanned()
        assert (found.status, found.scan.tags) == (Status.DONE, 2)
        assert len(server.asked("HEAD", "/manifests/")) == 2

    def test_names_that_are_none_are_left_out(self, server: FaultyRegistry, scanned: Scanned) -> None:
        names = ["team/app", "../../etc", "team/../app", "a\nb", "\x1b[31mred", "UPPER", "a" * 300, "", "team//app"]
        server.fault("/v2/_catalog", document({"repositories": names}))
        server.fault("/tags/list", document({"tags": ["1.1", "../1.0", "a/b", "x\0y", "\u202e1", "-x", "z" * 200]}))
        found = scanned()
        assert found.status == Status.DONE
        assert list(Service.objects.values_list("repository", flat=True)) == ["team/app"]
        assert tags_known() == ["1.1"]
        assert not [path for path in server.asked("GET") + server.asked("HEAD") if ".." in path]

    @pytest.mark.parametrize("where", ["/v2/_catalog", "/tags/list", "/manifests/"])
    def test_a_web_page_in_place_of_an_answer(self, server: FaultyRegistry, scanned: Scanned, where: str) -> None:
        server.fault(where, text(b"<!doctype html><title>Sign in</title>", "text/html"))
        found = scanned()
        assert found.status == Status.FAILED
        told_of = found.errors or (("", found.message),)
        page = "REGISTRY answers, but does not look like a registry: it sent a web page. Check the URL."
        assert {sentence for _, sentence in told_of} == {page}

    @pytest.mark.parametrize("body", [b"<html>", b"[" * 60_000, b'{"tags":' * 7000, b'{"tags": {"a": 1}}', b"[]", b""])
    def test_what_is_no_list(self, server: FaultyRegistry, scanned: Scanned, body: bytes) -> None:
        server.fault("/tags/list", text(body))
        found = scanned()
        assert found.status == Status.FAILED
        assert found.sentence.startswith("The list of tags from REGISTRY is ")


class TestRedirects:
    def test_a_circle_ends(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault("/v2/_catalog", redirect("/v2/_catalog"))
        found = scanned()
        assert found.status == Status.FAILED
        assert found.sentence == "REGISTRY redirects without end. Check the registry's configuration."

    def test_a_blob_in_the_clouds_metadata_is_not_fetched(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault(BLOB, redirect("http://169.254.169.254/latest/meta-data/iam"))
        found = scanned()
        assert found.status == Status.PARTIAL
        ((tag, sentence),) = found.errors
        assert tag == "1.1"
        assert sentence.startswith("REGISTRY refers to 169.254.169.254, which is in a private network")

    def test_a_registry_elsewhere_does_not_make_us_ask_ourselves(
        self, registry: Registry, server: FaultyRegistry, far_away: str
    ) -> None:
        with ScriptedRegistry({"/secrets": Reply(200, {}, b"mine")}) as inner:
            server.fault(BLOB, redirect(f"{inner.url}/secrets"))
            found = scan_of(registry, far_away)
            assert inner.requests == []
        assert found.status == Status.PARTIAL
        ((tag, sentence),) = found.errors
        assert tag == "1.1"
        assert sentence.startswith(f"REGISTRY refers to {inner.host}, which is in a private network")
        assert sentence.endswith("It was not followed. Check the registry's configuration.")

    def test_the_login_does_not_travel(self, server: FaultyRegistry, scanned: Scanned) -> None:
        stored = b"".join(NEWEST.layers[1].chunks())
        with ScriptedRegistry({"/store": Reply(200, {}, stored)}) as store:
            server.fault(BLOB, redirect(f"http://localhost:{store.port}/store"))
            server.fault("", lambda request, right: right if request.headers.get("authorization") else ASK)
            found = scanned()
            assert [request.authorization for request in store.requests] == [None]
        assert (found.status, found.errors) == (Status.DONE, ())


ASK = faulty.challenge("Basic realm=x")


def scan_of(registry: Registry, host: str) -> object:
    from fleet import scanning

    Registry.objects.filter(pk=registry.pk).update(url=f"http://{host}", plain_http=True)
    row = Registry.objects.get(pk=registry.pk)
    return told(scanning.run_scan(scanning.start(row, Scan.Trigger.COMMAND)), host)


@pytest.fixture
def far_away(server: FaultyRegistry, monkeypatch: pytest.MonkeyPatch) -> str:
    """The registry under a name that counts as one on the Internet: only the resolution is faked."""
    host, port = "registry.example", server.address.partition(":")[2]
    look_up, resolve = socket.getaddrinfo, zones.resolve
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda name, *rest, **more: look_up("127.0.0.1" if name == host else name, *rest, **more)
    )

    def as_seen_from_here(origin: Origin) -> tuple[str, ...]:
        return ("8.8.8.8",) if origin.host == host else resolve(origin)

    monkeypatch.setattr(zones, "resolve", as_seen_from_here)
    return f"{host}:{port}"


class TestMovingTags:
    def test_a_tag_that_moves_between_the_first_question_and_the_second(
        self, server: FaultyRegistry, scanned: Scanned
    ) -> None:
        """It is the image that HEAD named: all later questions name its digest."""

        def head_then_move(_request: Request, right: Response) -> Response:
            server.push("team/app", "1.1", OLDER)
            return right

        server.fault("/manifests/1.1", head_then_move, methods=("HEAD",), times=1)
        assert scanned().status == Status.DONE
        assert Snapshot.objects.get(tag="1.1").image.digest == NEWEST.digest
        assert scanned().status == Status.DONE
        newest = Snapshot.objects.latest_by_tag(Service.objects.get().pk)["1.1"]
        assert newest.image.digest == OLDER.digest

    def test_a_tag_that_is_pushed_over_and_swept_away_meanwhile(self, server: FaultyRegistry, scanned: Scanned) -> None:
        server.fault(f"/manifests/{NEWEST.digest}", Response(404), methods=("GET",))
        found = scanned()
        assert found.status == Status.PARTIAL
        assert found.errors == (
            (
                "1.1",
                f"REGISTRY has no team/app@{NEWEST.digest}. Check the name and the tag; a private one needs a login.",
            ),
        )

    def test_a_tag_that_goes_between_two_listings(self, server: FaultyRegistry, scanned: Scanned) -> None:
        def list_then_delete(_request: Request, right: Response) -> Response:
            server.delete("team/app", "1.0")
            del server._documents["team/app", "1.0"]
            return right

        server.fault("/tags/list", list_then_delete, times=1)
        found = scanned()
        assert found.status == Status.PARTIAL
        assert [tag for tag, _ in found.errors] == ["1.0"]
        assert tags_known() == ["1.1"]
        again = scanned()
        assert (again.status, again.errors) == (Status.DONE, ())
