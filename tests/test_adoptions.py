"""A later scan sees the size fall: which suggestion was taken up, and what it brought."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pytest

from fleet import snapshots
from fleet.models import Adoption, BaseImage, Image, ImageLayer, Scan, Service, Suggestion
from fleet.snapshots import Record, SeenTag
from fleet.snapshots.adoptions import note_adoption
from tests.dashboard.factories import (
    DOCKERFILE,
    FIRST_DAY,
    MB,
    make_image,
    make_registry,
    make_scan,
    make_service,
    make_suggestion,
)

pytestmark = pytest.mark.django_db
LATER = FIRST_DAY + timedelta(days=30)


def image_of(megabytes: int, unpacked: int | None = None, *, steps: int = 2, built: object = LATER) -> Image:
    image = make_image(("RUN true",) * steps)
    image.compressed_bytes = megabytes * MB
    image.unpacked_bytes = (3 * megabytes if unpacked is None else unpacked) * MB
    image.created_at = built
    image.save()
    return image


@pytest.fixture
def service() -> Service:
    """At 400 MB compressed and 1200 MB unpacked, with three rungs on offer."""
    service = make_service("shop/api", sizes=(400 * MB,), image=image_of(400, built=FIRST_DAY), tags=("1.0",))
    promise(service, "cleaned", 320)
    promise(service, "slim", 200)
    promise(service, "distroless", 100)
    return service


def promise(service: Service, tier: str, after: int, **fields: object) -> Suggestion:
    sizes = {
        "before_compressed_bytes": 400 * MB,
        "before_unpacked_bytes": 1200 * MB,
        "after_compressed_bytes": after * MB,
        "after_unpacked_bytes": 3 * after * MB,
    }
    return make_suggestion(service, "rebuild", **{**sizes, "tier": tier, "recommended": tier == "slim", **fields})


def scan(service: Service, image: Image, tag: str = "1.1") -> Service:
    """One whole scan that finds the image at the newest tag."""
    running = make_scan(service.registry, status=Scan.Status.RUNNING, finished_at=None, services_done=0)
    seen = SeenTag(tag, image.digest, image)
    assert snapshots.write(running, Service.objects.get(pk=service.pk), Record(tags=(seen,), newest=seen))
    return Service.objects.get(pk=service.pk)


def adopted() -> list[str]:
    return [each.tier for each in Adoption.objects.order_by("pk")]


def test_the_rung_whose_promise_is_nearest_was_adopted(service: Service) -> None:
    before = service.snapshot.image
    now = scan(service, image_of(210))
    adoption = Adoption.objects.get()
    assert (adoption.mode, adoption.tier) == ("rebuild", "slim")
    assert (adoption.from_image, adoption.to_image) == (before, now.snapshot.image)
    assert (adoption.promised_compressed_bytes, adoption.promised_unpacked_bytes) == (200 * MB, 600 * MB)
    assert (adoption.real_compressed_bytes, adoption.real_unpacked_bytes) == (190 * MB, 570 * MB)
    assert adoption.dockerfile == DOCKERFILE
    assert adoption.dockerfile_sha256 == sha256(DOCKERFILE.encode()).hexdigest()
    assert adoption.evidence == "The size fell by 190 MB compressed, of 200 MB promised."
    assert adoption.adopted_at == now.snapshot.seen_at
    assert round(adoption.kept_percent) == -5


@pytest.mark.parametrize(
    ("compressed", "unpacked", "expected"),
    [
        (395, 1185, []),
        (361, 1083, []),
        (360, 1080, ["cleaned"]),
        (320, 1200, []),
        (110, 330, ["distroless"]),
        (10, 30, ["distroless"]),
        (500, 1500, []),
    ],
)
def test_a_fall_of_half_the_promise_is_needed_in_both_sizes(
    service: Service, compressed: int, unpacked: int, expected: list[str]
) -> None:
    scan(service, image_of(compressed, unpacked))
    assert adopted() == expected


def test_an_unread_image_is_judged_by_its_compressed_size(service: Service) -> None:
    image = image_of(210)
    Image.objects.filter(pk=image.pk).update(unpacked_bytes=None)
    image.layers.update(unpacked_bytes=None)
    scan(service, Image.objects.get(pk=image.pk))
    assert Adoption.objects.get().real_unpacked_bytes is None


def test_what_failed_a_check_or_was_never_offered_is_not_adopted(service: Service) -> None:
    service.suggestions.filter(tier="slim").update(usable=False)
    service.suggestions.filter(tier="distroless").update(dockerfile="", obstacle="No.")
    service.suggestions.filter(tier="cleaned").delete()
    scan(service, image_of(200))
    assert adopted() == []


def test_a_second_scan_adds_nothing(service: Service) -> None:
    small = image_of(200)
    now = scan(service, small)
    scan(service, small)
    note_adoption(now, now.snapshot)
    assert adopted() == ["slim"]


def test_a_rollback_and_what_follows_it_is_no_second_adoption(service: Service) -> None:
    big, small = service.snapshot.image, image_of(200)
    scan(service, small, "latest")
    scan(service, big, "latest")
    promise(service, "slim", 200, image=big)
    scan(service, small, "latest")
    assert adopted() == ["slim"]


def test_a_return_to_a_smaller_image_of_before_is_no_adoption(service: Service) -> None:
    """A was small, B is large and has suggestions, A comes back."""
    large = image_of(400)
    scan(service, image_of(150, built=FIRST_DAY), "latest")
    small = Service.objects.get(pk=service.pk).snapshot.image
    Adoption.objects.all().delete()
    scan(service, large, "latest")
    promise(service, "slim", 200, image=large)
    scan(service, small, "latest")
    assert adopted() == []


def test_an_image_that_was_built_before_is_no_adoption(service: Service) -> None:
    """The newest tag was deleted, and an older one whose history was read later takes its place."""
    scan(service, image_of(200, built=FIRST_DAY - timedelta(days=9)), "0.9")
    assert adopted() == []


def test_a_build_that_is_repeatable_to_the_bit_has_no_true_date(service: Service) -> None:
    scan(service, image_of(200, built=FIRST_DAY.replace(year=1970)))
    assert adopted() == ["slim"]


def test_each_further_release_is_measured_against_its_own_promise(service: Service) -> None:
    small = image_of(200)
    scan(service, small)
    promise(service, "distroless", 50, image=small, before_compressed_bytes=200 * MB, before_unpacked_bytes=600 * MB)
    scan(service, image_of(60), "1.2")
    assert adopted() == ["slim", "distroless"]


def on_base(image: Image, base: Image) -> None:
    """Let the image start with the base's layers."""
    layers = list(ImageLayer.objects.filter(image=base).order_by("position"))
    for own, theirs in zip(ImageLayer.objects.filter(image=image).order_by("position"), layers, strict=False):
        ImageLayer.objects.filter(pk=own.pk).update(layer=theirs.layer_id)


def test_the_suggested_base_is_better_evidence_than_the_size(service: Service) -> None:
    base, small = image_of(50, steps=1), image_of(180)
    BaseImage.objects.create(name="python:3.12-slim", image=base, head_digest="sha256:index")
    service.suggestions.filter(tier="distroless").update(base_digest="sha256:index")
    on_base(small, base)
    scan(service, small)
    assert adopted() == ["distroless"]
    assert "starts from the suggested base, docker.io/library/python:3.12-slim." in Adoption.objects.get().evidence


def test_a_base_that_the_image_had_before_proves_nothing(service: Service) -> None:
    base, small = image_of(50, steps=1), image_of(180)
    service.suggestions.filter(tier="distroless").update(base_digest=base.digest)
    on_base(small, base)
    on_base(service.snapshot.image, base)
    scan(service, small)
    assert adopted() == ["slim"]


def test_the_team_s_dockerfile_is_the_best_evidence(service: Service) -> None:
    service.suggestions.filter(tier="cleaned").update(dockerfile="FROM a\nRUN b\n")
    Service.objects.filter(pk=service.pk).update(dockerfile="# ours\r\nFROM a\r\nRUN b")
    scan(service, image_of(200))
    assert adopted() == ["cleaned"]
    assert "The team's own Dockerfile is the suggested one." in Adoption.objects.get().evidence


def test_an_attested_dockerfile_is_evidence_too(service: Service) -> None:
    service.suggestions.filter(tier="cleaned").update(dockerfile="FROM a\nRUN b\n")
    row = scan(service, service.snapshot.image, "1.0")
    small = image_of(200)
    snapshot = row.snapshots.create(
        image=small, tag="2", head_digest=small.digest, taken_at=LATER, compressed_bytes=small.compressed_bytes
    )
    note_adoption(row, snapshot, "FROM a\nRUN b")
    assert adopted() == ["cleaned"]
    assert "The image's provenance says" in Adoption.objects.get().evidence


def test_an_unchanged_service_is_asked_nothing(service: Service, django_assert_num_queries) -> None:
    """The scan of an unchanged fleet is two UPDATEs a service."""
    seen = SeenTag.stored(service.snapshot)
    running = make_scan(service.registry, status=Scan.Status.RUNNING, finished_at=None, services_done=0)
    record = Record(tags=(seen,), newest=seen, before={seen.tag: service.snapshot})
    with django_assert_num_queries(4):  # the two, and the transaction's savepoint
        assert snapshots.write(running, service, record)


def test_a_registry_goes_with_its_adoptions(service: Service) -> None:
    scan(service, image_of(200))
    make_registry()
    service.registry.delete()
    assert not Adoption.objects.exists()
