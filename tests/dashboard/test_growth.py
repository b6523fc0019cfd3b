"""Why an image grew: on the page of its service, and between any two releases."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping

import pytest
from django.test import Client

from fleet.analysis.growth import Cause, Growth
from fleet.image.layer import index_layer
from fleet.image.sizes import Sizes
from fleet.image.stored import dump_index
from fleet.models import Image, ImageLayer, Layer, Registry, Service, Snapshot
from fleet.sample.build import BuiltImage
from fleet.snapshots import write_growth
from tests.dashboard.factories import FIRST_DAY, MB, make_image, make_service
from tests.dashboard.pages import body, queries_of, words
from tests.fakes.pushable import image as build
from tests.fakes.pushable import layer

pytestmark = pytest.mark.django_db
EVIL = '<img src=x onerror=alert(1)>"'
GROWTH = Growth(
    Sizes(250 * MB, 92 * MB),
    (
        Cause("package", "changed", "chromium 120 → 121", Sizes(160 * MB, 60 * MB), "Debian package"),
        Cause("package", "added", "38 npm packages under /app/node_modules", Sizes(90 * MB, 33 * MB), "above all x 1"),
        Cause("files", "removed", f"/opt/{EVIL}", Sizes(0, -MB), "RUN make"),
    ),
    by_files=True,
)


def grown(*sizes: int, growth: Growth = GROWTH) -> Service:
    """A service whose last snapshot was compared with the one before."""
    service = make_service(sizes=sizes or (310 * MB, 402 * MB), image=make_image())
    before, after = list(service.snapshots.select_related("image"))[-2:]
    assert write_growth(before, after, growth)
    return service


def page_of(client: Client, service: Service) -> str:
    return body(client.get(f"/services/{service.pk}/"))


def trend_section(page: str) -> str:
    return page[page.index('id="trend"') :].split("</section>")[0]


class TestServicePage:
    def test_each_release_names_its_largest_cause_and_opens_the_others(self, reader: Client) -> None:
        text = words(trend_section(page_of(reader, grown())))
        assert "+92 MB chromium 120 → 121 +60 MB chromium 120 → 121 Debian package +33 MB 38 npm packages" in text
        assert "Told by files." in text
        assert "Largest causes, compressed" in text

    def test_the_chart_s_tip_says_why(self, reader: Client) -> None:
        page = page_of(reader, grown())
        points = json.loads(re.search(r'<script id="trend-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])["points"]
        told = points[1]["cause"].replace("\xa0", " ")
        assert told == ("+92 MB: chromium 120 → 121 (+60 MB), 38 npm packages under /app/node_modules (+33 MB), 1 more")
        assert points[0]["cause"] == ""

    def test_the_largest_step_is_said_in_words_with_the_way_to_compare(self, reader: Client) -> None:
        service = grown()
        before, after = service.snapshots.all()
        section = trend_section(page_of(reader, service))
        assert "Largest step: 1.1 , +92 MB: chromium 120 → 121 (+60 MB)" in words(section)
        assert f"/services/{service.pk}/compare/?from=@{before.pk}&amp;to=@{after.pk}" in section

    def test_a_small_step_is_not_said(self, reader: Client) -> None:
        small = Growth(Sizes(0, MB), (Cause("layer", "changed", "RUN make", Sizes(0, MB)),))
        assert "Largest step" not in page_of(reader, grown(310 * MB, 311 * MB, growth=small))

    def test_what_was_compared_by_layers_says_so(self, reader: Client) -> None:
        by_layers = Growth(Sizes(0, 92 * MB), (Cause("layer", "added", "COPY . /app", Sizes(0, 92 * MB)),))
        text = words(trend_section(page_of(reader, grown(growth=by_layers))))
        assert "COPY . /app" in text
        assert "Told by layers" in text

    def test_a_cause_of_another_difference_is_not_shown(self, reader: Client) -> None:
        service = grown()
        service.snapshots.filter(tag="1.0").update(compressed_bytes=5)
        assert "chromium" not in page_of(reader, service)

    def test_markup_from_an_image_is_text(self, reader: Client) -> None:
        page = page_of(reader, grown())
        assert "<img src=x" not in page

    def test_a_snapshot_that_was_not_compared_has_no_cause(self, reader: Client) -> None:
        section = trend_section(page_of(reader, make_service()))
        assert "<details" not in section
        assert "Largest step" not in section


def store(built: BuiltImage, *, indexed: bool = True) -> Image:
    row = Image.objects.create(
        digest=built.digest,
        media_type=built.document.media_type,
        platform="linux/amd64",
        created_at=FIRST_DAY,
        compressed_bytes=built.config.size_bytes + sum(blob.size_bytes for blob in built.layers),
        manifest=built.document.body,
        config=built.config.content,
    )
    for position, blob in enumerate(built.layers):
        index = index_layer(blob.chunks(), digest=blob.digest, media_type="application/vnd.oci.image.layer.v1.tar+gzip")
        values = {
            "media_type": index.media_type,
            "compressed_bytes": index.compressed_bytes,
            "entries": len(index.entries),
            "index": dump_index(index) if indexed else None,
        }
        stored, _ = Layer.objects.get_or_create(digest=blob.digest, defaults=values)
        ImageLayer.objects.create(image=row, layer=stored, position=position)
    return row


BASE = layer({"bin/sh": b"s" * 500})


def release(service: Service, tag: str, files: Mapping[str, bytes], day: int, *, indexed: bool = True) -> Snapshot:
    image = store(build(layers=[BASE, layer(files)]), indexed=indexed)
    return Snapshot.objects.create(
        service=service,
        image=image,
        tag=tag,
        head_digest=image.digest,
        taken_at=FIRST_DAY.replace(year=2027, day=day),
        compressed_bytes=image.compressed_bytes,
    )


def npm(name: str, version: str, size: int) -> dict[str, bytes]:
    directory = f"app/node_modules/{name}"
    manifest = json.dumps({"name": name, "version": version}).encode()
    return {f"{directory}/package.json": manifest, f"{directory}/index.js": random.Random(version).randbytes(size)}


@pytest.fixture
def service(db: None) -> Service:
    """Three releases whose layers are known: a package moves on, then a file comes."""
    service = make_service("shop/api", sizes=(MB,), tags=("old",), image=make_image())
    release(service, "2.0", npm("left-pad", "1.0", 1_000), 1)
    release(service, "2.1", npm("left-pad", "2.0", 9_000), 2)
    release(service, "2.2", npm("left-pad", "2.0", 9_000) | {"app/big.bin": random.Random(1).randbytes(70_000)}, 3)
    return service


class TestComparison:
    def test_the_newest_is_compared_with_the_one_before_unless_asked_otherwise(
        self, reader: Client, service: Service
    ) -> None:
        page = body(reader.get(f"/services/{service.pk}/compare/"))
        assert re.findall(r"selected>([\d.]+) ", page) == ["2.1", "2.2"]
        assert "/app/big.bin" in words(page)

    def test_any_two_are_compared_by_tag_or_snapshot(self, reader: Client, service: Service) -> None:
        first, second = service.snapshots.filter(tag__in=["2.0", "2.1"])
        by_tag = words(body(reader.get(f"/services/{service.pk}/compare/?from=2.0&to=2.1")))
        assert by_tag == words(body(reader.get(f"/services/{service.pk}/compare/?from=@{first.pk}&to=@{second.pk}")))
        assert "left-pad 1.0 → 2.0" in by_tag
        assert "left-pad npm 1.0 2.0" in by_tag
        assert "told by files" in by_tag
        assert "1 of 2 in both images" in by_tag

    @pytest.mark.parametrize("kind", ["distribution", "engine", "archive"])
    def test_what_a_source_cannot_measure_is_an_estimate(self, reader: Client, service: Service, kind: str) -> None:
        Registry.objects.update(kind=kind)
        text = words(body(reader.get(f"/services/{service.pk}/compare/")))
        assert ("estimate of what a pull moves" in text) == (kind != "distribution")

    def test_backwards_is_loss(self, reader: Client, service: Service) -> None:
        text = words(body(reader.get(f"/services/{service.pk}/compare/?from=2.2&to=2.1")))
        assert "/app/big.bin RUN step 1 removed −68.9 kB −70 kB" in text

    def test_where_files_are_unknown_it_is_by_layers_and_says_so(self, reader: Client, service: Service) -> None:
        release(service, "2.3", {"app/other": b"o" * 9_000}, 4, indexed=False)
        text = words(body(reader.get(f"/services/{service.pk}/compare/")))
        assert "told by layers" in text
        assert "RUN step 1" in text
        assert "added, removed or changed" in text

    def test_plain_layers_of_which_no_files_are_known_cannot_be_compared(
        self, reader: Client, service: Service
    ) -> None:
        last = release(service, "2.3", {"app/other": b"o" * 9_000}, 4, indexed=False)
        Image.objects.filter(pk=last.image_id).update(compressed_bytes=7)
        assert "nobody can tell" in words(body(reader.get(f"/services/{service.pk}/compare/")))

    def test_the_same_image_is_no_comparison(self, reader: Client, service: Service) -> None:
        assert "the same image" in words(body(reader.get(f"/services/{service.pk}/compare/?from=2.1&to=2.1")))

    def test_a_single_release_has_nothing_to_be_compared_with(self, reader: Client) -> None:
        service = make_service(sizes=(MB,))
        assert "It takes two releases" in words(body(reader.get(f"/services/{service.pk}/compare/")))

    def test_an_image_that_is_stored_wrongly_is_explained(self, reader: Client, service: Service) -> None:
        assert "Nothing to compare" in words(body(reader.get(f"/services/{service.pk}/compare/?from=old&to=2.1")))

    @pytest.mark.parametrize("wanted", ["nope", "@999999", "@x", "@" + "9" * 30, "@²", "%00"])
    def test_what_the_service_has_not_is_not_found(self, reader: Client, service: Service, wanted: str) -> None:
        assert reader.get(f"/services/{service.pk}/compare/?from={wanted}").status_code == 404

    def test_another_service_s_snapshot_is_not_found(self, reader: Client, service: Service) -> None:
        other = make_service().snapshot
        assert reader.get(f"/services/{service.pk}/compare/?from=@{other.pk}").status_code == 404

    def test_queries_do_not_grow_with_releases_or_layers(self, reader: Client, service: Service) -> None:
        address = f"/services/{service.pk}/compare/?from=2.0&to=2.2"
        queries_of(reader, address)
        before = queries_of(reader, address)
        for day in range(5, 20):
            release(service, f"3.{day}", {"app/x": b"%d" % day}, day)
        many = build(layers=[layer({f"l{n}": b"%d" % n}) for n in range(20)])
        service.snapshots.filter(tag="2.2").update(image=store(many))
        assert queries_of(reader, address) == before < 12

    def test_markup_from_an_image_is_text(self, reader: Client, service: Service) -> None:
        release(service, EVIL, {f"app/{EVIL}": b"o" * 9_000}, 4)
        page = body(reader.get(f"/services/{service.pk}/compare/"))
        assert "<img src=x" not in page
        assert " style=" not in page
