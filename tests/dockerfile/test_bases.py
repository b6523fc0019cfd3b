"""Bases asked of a registry over HTTP, through mirrors, and the table behind them."""

import base64
import json
import socket
import threading

import pytest

from fleet.dockerfile.base_rules import BaseRules
from fleet.dockerfile.base_table import known_base
from fleet.dockerfile.bases import (
    PINNED_BASES,
    DockerfileBases,
    RegistryBases,
    TableBases,
    mirrored,
    parse_mirrors,
    short_name,
    unpinned_notes,
)
from fleet.oci.errors import InvalidReference
from fleet.oci.manifest import ImageConfig, Platform
from fleet.oci.reference import Reference
from fleet.sample.build import build_image, build_layer
from fleet.sample.registry import ReadOnlyRegistry
from fleet.sample.tar import File
from tests.fakes.registry import Reply, ScriptedRegistry

AMD64 = Platform("linux", "amd64")
SLIM = build_image(
    ImageConfig(AMD64, env=("LANG=C.UTF-8",)), [build_layer([File("usr/local/bin/python3.11", b"x" * 5_000)])]
)


@pytest.fixture
def registry():
    with ReadOnlyRegistry({"hub/python": {"3.11-slim": SLIM, "3.11": SLIM}}) as served:
        yield served


def bases(registry, **options):
    mirrors = parse_mirrors([f"docker.io/library={registry.address}/hub"])
    return RegistryBases(mirrors, platform=AMD64, **options)


def test_the_first_candidate_that_the_mirror_serves_is_measured(registry):
    found = bases(registry).find(["python:3.11-slim-bookworm", "python:3.11-slim"])
    assert found.reference == f"{registry.address}/hub/python:3.11-slim"
    assert (found.digest, found.source) == (SLIM.digest, "registry")
    assert (found.sizes.unpacked_bytes, found.sizes.compressed_bytes) == (5_000, SLIM.compressed_bytes)
    assert "usr/local/bin/python3.11" in found.tree.nodes
    assert found.config.variable("LANG") == "C.UTF-8"


def test_an_answer_is_kept_whether_good_or_bad(registry):
    served = bases(registry)
    served.find(["python:3.11-slim-bookworm", "python:3.11-slim"])
    asked = len(registry.requests)
    served.find(["python:3.11-slim-bookworm", "python:3.11-slim"])
    assert len(registry.requests) == asked


def test_a_pin_costs_one_head_and_reads_no_layer(registry):
    served = bases(registry)
    assert served.pin("python:3.11") == f"{registry.address}/hub/python:3.11@{SLIM.digest}"
    assert served.pin("python:3.9") is None
    assert {(line.method, line.status) for line in registry.requests} == {("HEAD", 200), ("HEAD", 404)}


def test_what_no_registry_serves_comes_from_the_table_with_its_date(registry):
    found = bases(registry).find(["python:3.12-slim-bookworm"])
    assert (found.reference, found.source, found.tree, found.digest) == (
        "python:3.12-slim-bookworm",
        "table",
        None,
        None,
    )
    assert found.as_of


def test_an_unreachable_host_is_asked_once_and_the_table_answers(monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    served = RegistryBases({"docker.io/library": f"127.0.0.1:{port}/hub"}, platform=AMD64)
    assert served.find(["python:3.11-slim"]).source == "table"
    calls = []
    monkeypatch.setattr("fleet.dockerfile.bases.open_location", lambda *a, **k: calls.append(a))
    assert served.find(["python:3.11-slim-bookworm"]).source == "table"
    assert calls == []


@pytest.mark.parametrize(
    "name", ["python:3.11", "python:3.11-alpine", "registry.test/python:3.11-slim", "node:22-slim"]
)
def test_the_table_knows_slim_bases_only(name):
    assert TableBases().find([name]) is None


def test_longer_mirrors_win():
    mirrors = parse_mirrors(["docker.io=a.test/all", "docker.io/library=b.test/lib", "", "ghcr.io/x=c.test"])
    assert mirrored("python:3.11", mirrors) == "b.test/lib/python:3.11"
    assert mirrored("team/app:1", mirrors) == "a.test/all/team/app:1"
    assert mirrored("ghcr.io/xyz/app:1", mirrors) == "ghcr.io/xyz/app:1"


@pytest.mark.parametrize("line", ["docker.io/library", "=x.test", "a=", "a=b c", "a=https://x.test"])
def test_what_is_no_mirror_is_refused(line):
    with pytest.raises(InvalidReference):
        parse_mirrors([line])


def test_docker_hubs_names_stay_short():
    assert short_name(Reference.parse("python:3.11-slim")) == "python:3.11-slim"
    assert short_name(Reference.parse("team/app:1")) == "team/app:1"
    assert short_name(Reference.parse("quay.io/a/b:1")) == "quay.io/a/b:1"


DIGEST = f"sha256:{'7' * 64}"
THERE = Reply(200, {"Docker-Content-Digest": DIGEST, "Content-Type": "application/vnd.oci.image.manifest.v1+json"})


@pytest.fixture
def inner():
    """A registry that only this machine reaches, with one base."""
    with ScriptedRegistry({"/v2/team/base/manifests/1": THERE}) as served:
        yield served


@pytest.fixture
def logins(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    def store(*hosts):
        auth = {"auth": base64.b64encode(b"me:secret").decode()}
        (tmp_path / "config.json").write_text(json.dumps({"auths": dict.fromkeys(hosts, auth)}))

    return store


def guarded(request):
    return THERE if request.authorization else Reply(401, {"WWW-Authenticate": 'Basic realm="here"'})


@pytest.mark.parametrize("spelt", ["127.0.0.1:{0.port}", "localhost:{0.port}", "LOCALHOST:{0.port}"])
def test_a_host_that_nobody_named_is_not_asked(inner, spelt):
    reference = f"{spelt.format(inner)}/team/base:1"
    for asking in (RegistryBases({}, platform=AMD64), DockerfileBases(RegistryBases({}, platform=AMD64))):
        assert asking.pin(reference) is None
        assert asking.find([reference]) is None
    assert inner.connections == 0


def test_the_note_says_which_bases_were_not_asked_for(inner):
    one = DockerfileBases(RegistryBases({}, platform=AMD64))
    assert unpinned_notes(one) == ()
    one.pin(f"{inner.host}/team/base:1")
    one.pin("no\x1breference")
    (note,) = unpinned_notes(one)
    assert f"{inner.host}/team/base:1" in note
    assert "\x1b" not in note


def test_a_host_that_a_person_named_is_asked_for_that_dockerfile_alone_and_without_a_login(inner, logins):
    logins(inner.host)
    inner.routes["/v2/team/base/manifests/1"] = guarded
    shared, reference = RegistryBases({}, platform=AMD64), f"{inner.host}/team/base:1"
    assert DockerfileBases(shared, f"FROM {reference} AS one\nFROM one\n").pin(reference) is None
    assert inner.requests
    assert not any(request.authorization for request in inner.requests)
    inner.routes["/v2/team/base/manifests/1"] = THERE
    again = RegistryBases({}, platform=AMD64)
    assert DockerfileBases(again, f"FROM {reference}\n").pin(reference) == f"{reference}@{DIGEST}"
    assert DockerfileBases(again).pin(reference) is None, "an answer that another Dockerfile may have is none for this"


def test_a_person_at_a_terminal_may_have_every_host_asked_with_docker_logins(inner, logins):
    logins(inner.host)
    inner.routes["/v2/team/base/manifests/1"] = guarded
    reference = f"{inner.host}/team/base:1"
    assert RegistryBases({}, platform=AMD64, hosts=None).pin(reference) == f"{reference}@{DIGEST}"


@pytest.mark.parametrize("named", ["mirror", "host"])
def test_what_an_admin_named_is_asked_with_dockers_login(inner, logins, named):
    logins(inner.host)
    inner.routes["/v2/team/base/manifests/1"] = guarded
    mirrors, hosts = ({"quay.io": inner.host}, ()) if named == "mirror" else ({}, {inner.host})
    one = DockerfileBases(RegistryBases(mirrors, platform=AMD64, hosts=hosts))
    reference = "quay.io/team/base:1" if named == "mirror" else f"{inner.host}/team/base:1"
    assert one.pin(reference) == f"{inner.host}/team/base:1@{DIGEST}"
    assert unpinned_notes(one) == ()


def test_docker_hub_is_asked_with_its_login_where_no_mirror_serves_it(monkeypatch):
    opened = []

    def refuse(reference, *, plain_http, login):
        opened.append((str(reference), login))
        raise InvalidReference("There is no network in a test.")

    monkeypatch.setattr("fleet.dockerfile.bases.open_location", refuse)
    one = DockerfileBases(RegistryBases({}, platform=AMD64))
    assert one.pin("python:3.11") is None
    assert one.find(["python:3.11-slim"]).source == "table"
    assert opened == [("docker.io/library/python:3.11", True), ("docker.io/library/python:3.11-slim", True)]


def test_a_dockerfile_has_a_few_bases_asked_for_and_somebody_hears_of_each(inner):
    beats = []
    shared = RegistryBases({}, platform=AMD64, hosts={inner.host}, beat=lambda: beats.append(len(inner.requests)))
    one = DockerfileBases(shared)
    for number in range(400):
        one.pin(f"{inner.host}/team/base:{number}")
    assert len({request.path for request in inner.requests}) == PINNED_BASES
    assert one.pin(f"{inner.host}/team/base:1") == f"{inner.host}/team/base:1@{DIGEST}", "asked for before the limit"
    assert len(beats) == len(set(beats)) == PINNED_BASES
    (note,) = unpinned_notes(one)
    assert f"first {PINNED_BASES}" in note


def test_who_ends_the_asking_leaves_no_answer_behind(inner):
    class Over(Exception):
        pass

    over = [Over()]

    def beat():
        if over:
            raise over.pop()

    shared = RegistryBases({}, platform=AMD64, hosts={inner.host}, beat=beat)
    with pytest.raises(Over):
        shared.pin(f"{inner.host}/team/base:1")
    assert inner.connections == 0
    assert shared.pin(f"{inner.host}/team/base:1")


def test_a_slow_answer_holds_up_only_those_who_ask_the_same(inner):
    asked, go_on = threading.Event(), threading.Event()

    def slow(request):
        asked.set()
        go_on.wait(20)
        return THERE

    inner.routes["/v2/slow/manifests/1"] = slow
    shared = RegistryBases({}, platform=AMD64, hosts={inner.host})
    waiting = threading.Thread(target=shared.pin, args=(f"{inner.host}/slow:1",))
    waiting.start()
    try:
        assert asked.wait(20)
        assert shared.pin(f"{inner.host}/team/base:1")
        assert waiting.is_alive()
    finally:
        go_on.set()
        waiting.join()


class TestRules:
    """What admins decide, where registries are asked."""

    @pytest.fixture
    def corp(self):
        with ReadOnlyRegistry({"base/python": {"3.11-slim": SLIM}}) as served:
            yield served

    def mapped(self, corp, **rules):
        return BaseRules(maps=(("docker.io/library/python", f"{corp.address}/base/python"),), **rules)

    def test_a_map_changes_what_from_says_and_whom_it_asks(self, corp):
        bases = RegistryBases({}, platform=AMD64, rules=self.mapped(corp))
        found = bases.find(["python:3.11-slim-bookworm", "python:3.11-slim"])
        assert found.reference == f"{corp.address}/base/python:3.11-slim"
        assert found.digest == SLIM.digest
        assert bases.pin("python:3.11-slim") == f"{corp.address}/base/python:3.11-slim@{SLIM.digest}"
        assert bases.pin(f"python:3.11-slim@{DIGEST}") == f"{corp.address}/base/python:3.11-slim@{SLIM.digest}"

    def test_a_map_that_nobody_serves_leaves_from_and_says_so(self, corp):
        one = DockerfileBases(RegistryBases({}, platform=AMD64, rules=self.mapped(corp)))
        assert one.pin("python:3.9") is None
        (note,) = unpinned_notes(one)
        assert note == (
            f"python:3.9 stays in FROM: the admin maps it to {corp.address}/base/python:3.9, which no registry served."
        )

    def test_without_a_registry_a_mapped_base_has_the_sizes_of_what_it_stands_for(self):
        rules = BaseRules(maps=(("python", "registry.corp/base/python"),))
        found = TableBases(rules).find(["python:3.11-slim-bookworm"])
        assert (found.reference, found.source) == ("registry.corp/base/python:3.11-slim-bookworm", "table")
        assert found.sizes == TableBases().find(["python:3.11-slim-bookworm"]).sizes

    def test_what_is_refused_is_not_asked_for(self, registry):
        asking = bases(registry, rules=BaseRules(forbid=("*-slim",)))
        assert asking.find(["python:3.11-slim"]) is None
        assert not registry.requests
        assert asking.find(["python:3.11-slim", "python:3.11"]).reference == f"{registry.address}/hub/python:3.11"
        assert asking.refusal(["python:3.11-slim"]) == "The admin forbids *-slim: python:3.11-slim."
        assert asking.refusal(["python:3.11-slim", "python:3.11"]) == ""
        assert DockerfileBases(asking).refusal(["python:3.11-slim"]) == asking.refusal(["python:3.11-slim"])

    def test_a_mirror_that_is_allowed_serves_and_the_table_does_not_stand_in_for_it(self, registry):
        asking = bases(registry, rules=BaseRules(allow=(f"{registry.address}/hub/*",)))
        assert asking.find(["python:3.11-slim"]).reference == f"{registry.address}/hub/python:3.11-slim"
        assert asking.find(["python:3.12-slim-bookworm"]) is None

    def test_the_base_that_a_team_starts_from_is_theirs(self, registry):
        asking = bases(registry, rules=BaseRules(allow=("registry.corp/*",), forbid=("python",)))
        assert asking.pin("python:3.11") == f"{registry.address}/hub/python:3.11@{SLIM.digest}"

    def test_the_table_obeys(self):
        rules = BaseRules(forbid=("python:3.11*",))
        assert TableBases(rules).find(["python:3.11-slim"]) is None
        assert TableBases(rules).refusal(["python:3.11-slim"]) == "The admin forbids python:3.11*: python:3.11-slim."
        assert TableBases(rules).find(["python:3.11-slim", "python:3.12-slim"]).reference == "python:3.12-slim"

    @pytest.mark.parametrize("asking", [TableBases(), RegistryBases({}, platform=AMD64)], ids=["table", "registry"])
    def test_scratch_is_nothing_and_is_there_unless_it_is_forbidden(self, asking):
        found = asking.find(["scratch"])
        assert (found.reference, found.sizes.unpacked_bytes, dict(found.tree.nodes)) == ("scratch", 0, {})
        assert TableBases(BaseRules(forbid=("scratch",))).find(["scratch"]) is None


class TestCatalogHosts:
    """Hosts that only our catalog names, a stand-in for gcr.io on this machine."""

    @pytest.fixture
    def ours(self, inner, monkeypatch):
        monkeypatch.setattr("fleet.dockerfile.bases.is_catalogued", lambda place: place.registry == inner.host)
        return inner

    def test_they_are_asked_without_a_login(self, ours, logins):
        logins(ours.host)
        reference = f"{ours.host}/team/base:1"
        ours.routes["/v2/team/base/manifests/1"] = guarded
        for hosts in ((), None):
            assert RegistryBases({}, platform=AMD64, hosts=hosts).pin(reference) is None
        assert ours.requests
        assert not any(request.authorization for request in ours.requests)
        ours.routes["/v2/team/base/manifests/1"] = THERE
        assert RegistryBases({}, platform=AMD64).pin(reference) == f"{reference}@{DIGEST}"

    def test_with_the_login_of_an_admin_who_named_them_too(self, ours, logins):
        logins(ours.host)
        ours.routes["/v2/team/base/manifests/1"] = guarded
        rules = BaseRules(maps=(("python", f"{ours.host}/team/base"),))
        assert RegistryBases({}, platform=AMD64, rules=rules).pin("python:1") == f"{ours.host}/team/base:1@{DIGEST}"

    def test_one_out_of_reach_is_asked_once_for_all(self, monkeypatch):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        monkeypatch.setattr("fleet.dockerfile.bases.is_catalogued", lambda place: True)
        gone: set[str] = set()
        name = f"127.0.0.1:{port}/distroless/cc-debian12:nonroot"
        assert RegistryBases({}, platform=AMD64, unreachable=gone).find([name]) is None
        assert gone == {f"127.0.0.1:{port}"}
        monkeypatch.setattr("fleet.dockerfile.bases.RegistryClient", None)
        assert RegistryBases({}, platform=AMD64, unreachable=gone).find([name, f"{name}-debug"]) is None

    def test_only_the_catalog_s_own_repositories_are(self):
        asking = RegistryBases({}, platform=AMD64)
        assert asking.may_ask("gcr.io/distroless/cc-debian12:nonroot")
        assert not asking.may_ask("gcr.io/somebody/else:1")
        assert not asking.may_ask("gcr.io.evil.test/distroless/cc-debian12:nonroot")


class TestTable:
    @pytest.mark.parametrize("kind", ["static", "base", "cc", "java-base"])
    def test_distroless_has_sizes_and_no_programs(self, kind):
        found = TableBases().find([f"gcr.io/distroless/{kind}-debian12:nonroot"])
        assert found.source == "table"
        assert found.config.user == "65532"
        known = known_base(found.reference)
        assert (known.programs, known.has_program("/bin/sh")) == (frozenset(), False)
        assert known.has_library("libc.so.6") is (kind != "static")
        assert known.has_library("libstdc++.so.6") is (kind == "cc")
        assert known.libc == ("none" if kind == "static" else "glibc")

    def test_the_bases_grow_with_what_they_hold(self):
        sizes = [known_base(f"gcr.io/distroless/{kind}-debian13:nonroot").sizes for kind in ("static", "base", "cc")]
        assert sizes == sorted(sizes, key=lambda each: (each.unpacked_bytes, each.compressed_bytes))

    def test_node_is_found_by_its_path_alone(self):
        known = known_base("gcr.io/distroless/nodejs24-debian13:nonroot")
        assert (known.has_program("/nodejs/bin/node"), known.has_program("node")) == (True, False)

    def test_alpine_has_musl(self):
        known = known_base("alpine:3.20")
        assert (known.libc, known.glibc, known.musl) == ("musl", None, (1, 2, 5))
        assert (known.has_library("libc.so.6"), known.has_library("libc.musl-x86_64.so.1")) == (False, True)
        assert known.has_program("/bin/sh")

    def test_debian_has_not_what_python_needs(self):
        debian, python = known_base("debian:bookworm-slim"), known_base("python:3.11-slim-bookworm")
        assert (debian.has_library("libsqlite3.so.0"), python.has_library("libsqlite3.so.0")) == (False, True)
        assert (debian.has_library("libpython3.11.so.1.0"), python.has_library("libpython3.11.so.1.0")) == (False, True)
        assert "ca-certificates" not in debian.packages
        assert debian.packages < python.packages
        assert not [name for name in python.packages if name.endswith("-")]

    @pytest.mark.parametrize(
        "name",
        ["gcr.io/distroless/cc-debian12:debug", "gcr.io/distroless/cc-debian14:nonroot", "alpine:3.99", "alpine"],
    )
    def test_others_are_not_in_it(self, name):
        assert known_base(name) is None
