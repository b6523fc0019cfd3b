"""What a builder attested is read once for the newest image, and used: the base's layers, the Dockerfile."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from fleet.analysis.analyse import RULESET
from fleet.dockerfile.suggestion import Suggestion
from fleet.models import Analysis, Image, Registry, Service
from fleet.oci.manifest import Platform
from fleet.oci.provenance import Provenance
from fleet.sample.build import BuiltImage
from fleet.sample.index import BuiltIndex, attested
from fleet.sample.registry import Response
from fleet.scanning import judging
from fleet.snapshots import Obstacle
from tests.dockerfile import images
from tests.fakes.pushable import BASE, PushableRegistry, day, image
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
        return {offer.mode: offer for offer in judging.judge(service, image).offers}

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
