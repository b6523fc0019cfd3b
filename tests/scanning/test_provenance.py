"""What a builder attested is read once for the newest image, and used: the base's layers, the Dockerfile."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.analysis.analyse import RULESET
from fleet.dockerfile.bases import PINNED_BASES
from fleet.dockerfile.suggestion import Obstacle, Suggestion
from fleet.models import Analysis, Image, Registry, Service
from fleet.oci.manifest import Platform
from fleet.oci.provenance import Provenance
from fleet.sample.build import BuiltImage
from fleet.sample.index import BuiltIndex, attested
from fleet.sample.registry import Response
from fleet.scanning import judging
from fleet.scanning.lanes import Unwatched, watched_by
from tests.dockerfile import images
from tests.fakes.pushable import BASE, PushableRegistry, day, image
from tests.fakes.registry import Reply, Request, ScriptedRegistry
from tests.scanning.runs import only_service, scan

pytestmark = pytest.mark.django_db
AMD64 = Platform.parse("linux/amd64")
BUILT = image(day(9), app=b"print('attested')\n")
DOCKERFILE = images.TRADITIONAL.replace("# Everything", "# a remark of the team")


def _predicate(dockerfile: str, built: BuiltImage = BUILT) -> dict[str, object]:
    def row(digest: str) -> dict[str, object]:
        return {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest, "size": 7}

    info = {"filename": "Dockerfile", "data": base64.b64encode(dockerfile.encode()).decode()}
    base, *_ = layers = [layer.digest for layer in built.layers]
    return {
        "buildType": "https://mobyproject.org/buildkit@v1",
        "metadata": {
            "https://mobyproject.org/buildkit@v1#metadata": {
                "source": {"infos": [info]},
                "layers": {"step0:0": [[row(base)]], "step1:0": [[row(digest) for digest in layers]]},
            }
        },
        "buildConfig": {
            "llbDefinition": [
                {"id": "step0", "op": {"Op": {"source": {"identifier": "docker-image://docker.io/library/python"}}}},
                {"id": "step1", "op": {"Op": {"file": {}}}, "inputs": ["step0:0"]},
            ]
        },
    }


@pytest.fixture
def index(server: PushableRegistry) -> BuiltIndex:
    index = attested(BUILT, AMD64, _predicate(DOCKERFILE))
    server.push("team/app", "2.0", index)
    return index


class TestSuggestions:
    """On an image that is large enough to be rebuilt, and bases that are at hand."""

    @pytest.fixture(autouse=True)
    def bases(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(judging, "bases_of", lambda service: images.Served({"python:3.11-slim": images.SLIM}))

    def _offers(self, dockerfile: str, own: str = "") -> dict[str, Suggestion | Obstacle]:
        image = replace(images.service(), provenance=Provenance(dockerfile))
        service = Service(repository="team/app", platform="linux/amd64", dockerfile=own)
        return {offer.mode: offer for offer in reversed(judging.judge(service, image).offers)}

    def test_the_attested_dockerfile_is_what_they_start_from(self) -> None:
        offers = self._offers(DOCKERFILE)
        assert "# a remark of the team" in offers["rebuild"].dockerfile
        assert judging.FROM_PROVENANCE in offers["rebuild"].notes
        assert judging.FROM_PROVENANCE not in offers["repack"].notes

    def test_the_teams_own_comes_first(self) -> None:
        rebuild = self._offers(DOCKERFILE, own=DOCKERFILE.replace("a remark", "the newest remark"))["rebuild"]
        assert "# the newest remark of the team" in rebuild.dockerfile
        assert judging.FROM_PROVENANCE not in rebuild.notes

    @pytest.mark.parametrize(
        "told",
        ["no instruction", DOCKERFILE.replace("WORKDIR", "ENV API_TOKEN=hunter2hunter2\nWORKDIR"), "FROM \x1b[2J\n"],
    )
    def test_one_that_cannot_be_used_or_shows_a_secret_is_left_alone(self, told: str) -> None:
        rebuild = self._offers(told)["rebuild"]
        assert isinstance(rebuild, Suggestion)
        assert judging.FROM_PROVENANCE not in rebuild.notes
        assert "hunter2" not in rebuild.dockerfile


class _Counted(Unwatched):
    def __init__(self) -> None:
        self.beats = 0

    def beat(self) -> None:
        self.beats += 1


class TestWhoIsAsked:
    """For the bases of an image that anybody may have pushed. ``mirror`` is what the admin named; ``inner`` only this
    machine reaches, and Docker has a login for it."""

    @pytest.fixture(autouse=True)
    def _fresh(self) -> Iterator[None]:
        judging.registry_bases.cache_clear()
        yield
        judging.registry_bases.cache_clear()

    @pytest.fixture
    def mirror(self) -> Iterator[ScriptedRegistry]:
        with ScriptedRegistry() as mirror:
            yield mirror

    @pytest.fixture
    def inner(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedRegistry]:
        with ScriptedRegistry({"/v2/internal/admin/manifests/1": _THERE}) as inner:
            auths = {inner.host: {"auth": base64.b64encode(b"me:dockers").decode()}}
            (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
            monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
            yield inner

    def _service(self, mirror: ScriptedRegistry, own: str = "", **row: str) -> Service:
        row = {"url": "https://registry.test", **row}
        registry = Registry.objects.create(name="Hub", base_mirrors=f"docker.io={mirror.host}", **row)
        return Service(registry=registry, repository="team/app", platform="linux/amd64", dockerfile=own)

    def _rebuild(self, service: Service, attested: str = "") -> Suggestion:
        image = replace(images.service(), provenance=Provenance(attested))
        rebuild = next(offer for offer in judging.judge(service, image).offers if offer.mode == "rebuild")
        assert isinstance(rebuild, Suggestion)
        return rebuild

    def _starts_from(self, *names: str) -> str:
        stages = (f"FROM {name} AS stage{number}\nRUN true\n" for number, name in enumerate(names))
        return "".join(stages) + DOCKERFILE

    def test_an_attested_dockerfile_has_no_host_asked_that_it_alone_names(
        self, mirror: ScriptedRegistry, inner: ScriptedRegistry
    ) -> None:
        name = f"{inner.host}/internal/admin:1"
        rebuild = self._rebuild(self._service(mirror), self._starts_from(name))
        assert inner.connections == 0
        assert f"FROM {name} AS stage0" in rebuild.dockerfile
        assert judging.FROM_PROVENANCE in rebuild.notes
        assert any(name in note and "Not pinned" in note for note in rebuild.notes)
        assert "HEAD /v2/library/python/manifests/3.11" in mirror.asked()

    def test_the_teams_own_has_and_without_a_login(self, mirror: ScriptedRegistry, inner: ScriptedRegistry) -> None:
        name = f"{inner.host}/internal/admin:1"
        rebuild = self._rebuild(self._service(mirror, own=self._starts_from(name)))
        assert f"FROM {name}@{_DIGEST} AS stage0" in rebuild.dockerfile
        assert not any("Not pinned" in note for note in rebuild.notes)
        assert not any(request.authorization for request in inner.requests)

    def test_one_team_names_no_host_for_another(self, mirror: ScriptedRegistry, inner: ScriptedRegistry) -> None:
        name = f"{inner.host}/internal/admin:1"
        service = self._service(mirror, own=self._starts_from(name))
        self._rebuild(service)
        asked = inner.connections
        other = Service(registry=service.registry, repository="team/other", platform="linux/amd64")
        rebuild = self._rebuild(other, self._starts_from(name, f"{inner.host}/internal/more:1"))
        assert _DIGEST not in rebuild.dockerfile
        assert inner.connections == asked

    def test_hundreds_of_stages_are_a_few_questions(self, mirror: ScriptedRegistry) -> None:
        names = [f"{mirror.host}/many/stages:{number}" for number in range(400)]
        watch = _Counted()
        with watched_by(watch):
            rebuild = self._rebuild(self._service(mirror), self._starts_from(*names))
        assert len({line for line in mirror.asked() if "/many/stages/" in line}) == PINNED_BASES
        assert watch.beats >= PINNED_BASES
        assert any(f"first {PINNED_BASES}" in note for note in rebuild.notes)

    def test_the_registrys_own_host_is_asked_with_its_own_login(
        self, mirror: ScriptedRegistry, inner: ScriptedRegistry
    ) -> None:
        def guarded(request: Request) -> Reply:
            return _THERE if request.authorization == _OURS else Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})

        inner.routes["/v2/internal/admin/manifests/1"] = guarded
        service = self._service(mirror, url=inner.url, username="us", secret="wrong")
        name = f"{inner.host}/internal/admin:1"
        assert f"FROM {name} AS stage0" in self._rebuild(service, self._starts_from(name)).dockerfile
        service.registry.secret = "ours"
        assert f"FROM {name}@{_DIGEST} AS stage0" in self._rebuild(service, self._starts_from(name)).dockerfile


_DIGEST = f"sha256:{'7' * 64}"
_THERE = Reply(200, {"Docker-Content-Digest": _DIGEST, "Content-Type": "application/vnd.oci.image.manifest.v1+json"})
_OURS = "Basic " + base64.b64encode(b"us:ours").decode()


def test_it_tells_which_layers_came_with_the_base(index: BuiltIndex, registry: Registry) -> None:
    scan(registry)
    assert BUILT.layers[0].digest == BASE.digest
    assert Analysis.objects.get().base_layers == 1


def test_it_is_asked_for_once(index: BuiltIndex, registry: Registry, server: PushableRegistry) -> None:
    scan(registry)
    kept = Image.objects.get(digest=BUILT.digest).provenance
    assert kept["dockerfile"] == DOCKERFILE
    Analysis.objects.update(ruleset=0)
    server.forget_requests()
    scan(registry)
    assert not server.asked("GET", "/manifests/")
    assert not server.asked("GET", "/blobs/")
    assert Analysis.objects.get().ruleset == RULESET


def test_an_image_without_one_is_not_asked_again(registry: Registry) -> None:
    scan(registry)
    assert only_service().snapshot.image.provenance is not None
    assert not only_service().snapshot.image.provenance["dockerfile"]


def test_one_that_cannot_be_read_costs_nothing_else(
    index: BuiltIndex, registry: Registry, server: PushableRegistry
) -> None:
    _, provenance = index.members
    server.replies[f"/v2/team/app/manifests/{provenance.document.digest}"] = Response(404)
    done = scan(registry)
    assert (done.status, done.error_count) == ("done", 0)
    assert Analysis.objects.exists()
