"""One service: its figures, its Dockerfile, its findings."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta

import pytest
from django.test import Client

from fleet.models import Image, ImageLayer, Layer, Registry, Scan, ScanError, Service, Snapshot
from tests.dashboard.factories import (
    DOCKERFILE,
    FIRST_DAY,
    MB,
    digest,
    make_analysis,
    make_finding,
    make_image,
    make_policy,
    make_registry,
    make_scan,
    make_service,
    make_suggestion,
    make_violation,
)
from tests.dashboard.pages import body, queries_of, words

pytestmark = pytest.mark.django_db
EVIL = '</script><script>alert(1)</script>"><img src=x onerror=alert(2)>'


def page_of(client: Client, service: Service) -> str:
    return body(client.get(f"/services/{service.pk}/"))


def section(page: str, name: str) -> str:
    return page[page.index(f'id="{name}"') :].split("</section>")[0]


def trend_of(page: str) -> dict:
    return json.loads(re.search(r'<script id="trend-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])


def test_every_size_says_whether_it_is_measured(reader: Client) -> None:
    service = make_service("shop/api", sizes=(402 * MB,), savings=201 * MB)
    text = words(page_of(reader, service))
    assert "Compressed 402 MB measured , what a pull moves" in text
    assert "Unpacked 1.21 GB measured , files of all layers" in text
    assert "Could save 201 MB estimate , 50 %, suggested Dockerfile" in text


@pytest.mark.parametrize("kind", [Registry.Kind.ENGINE, Registry.Kind.ARCHIVE])
def test_what_an_engine_holds_is_an_estimate_until_it_is_pushed(reader: Client, kind: str) -> None:
    service = make_service(registry=make_registry(kind=kind))
    assert "estimate , what a pull moves" in words(page_of(reader, service))


def test_the_trend_holds_each_release_and_what_it_added(reader: Client) -> None:
    service = make_service(sizes=(310 * MB, 402 * MB, 400 * MB))
    page = page_of(reader, service)
    assert [(point["tag"], point["compressed_bytes"]) for point in trend_of(page)["points"]] == [
        ("1.0", 310 * MB), ("1.1", 402 * MB), ("1.2", 400 * MB),
    ]  # fmt: skip
    table = words(section(page, "trend-table-panel"))
    assert table.index("1.2") < table.index("1.1") < table.index("1.0")
    assert "+92 MB" in table
    assert "−2 MB" in table


def test_tags_that_are_gone_stay_in_the_history_and_say_so(reader: Client) -> None:
    service = make_service(sizes=(310 * MB, 402 * MB))
    table = words(section(page_of(reader, service), "trend-table-panel"))
    assert "gone" not in table
    service.snapshots.filter(tag="1.0").update(gone_at=FIRST_DAY)
    page = page_of(reader, service)
    table = words(section(page, "trend-table-panel"))
    assert "1.0 gone 5 Jan 2026" in table
    assert "1.1 gone" not in table
    assert 'title="The registry no longer has this tag since 5 Jan 2026' in page


@pytest.mark.parametrize(("count", "told"), [(1, "1 older version will"), (1200, "1,200 older versions will")])
def test_what_is_still_to_be_read_of_the_history_is_said(reader: Client, count: int, told: str) -> None:
    assert f"{told} be read by the next scans." in words(page_of(reader, make_service(history_left=count)))
    assert "older version" not in words(page_of(reader, make_service()))


def test_a_service_bears_its_name_with_the_repository_beside_it(reader: Client) -> None:
    page = page_of(reader, make_service("team/shop-api", name="Shop API"))
    assert "<title>Shop API" in page
    assert "<h1>Shop API</h1>" in page
    assert "Repository team/shop-api Registry" in words(page)
    page = page_of(reader, make_service("team/ledger"))
    assert "<h1>team/ledger</h1>" in page
    assert "<dt>Repository</dt>" not in page


def test_a_long_history_is_cut_to_its_newest_part(reader: Client) -> None:
    service = make_service()
    Snapshot.objects.bulk_create(
        Snapshot(service=service, image=service.snapshot.image, tag=f"n{at}", head_digest="", compressed_bytes=1,
                 taken_at=FIRST_DAY + timedelta(days=100 + at))
        for at in range(300)
    )  # fmt: skip
    points = trend_of(page_of(reader, service))["points"]
    assert (len(points), points[0]["tag"], points[-1]["tag"]) == (200, "n100", "n299")


def test_the_limits_of_every_policy_in_scope_are_lines_of_the_chart(reader: Client) -> None:
    service = make_service("shop/api", sizes=(310 * MB,))
    make_policy("shops", repository_glob="shop/*", warn_compressed_bytes=200 * MB, fail_unpacked_bytes=900 * MB)
    make_policy("elsewhere", repository_glob="ledger/*")
    make_policy("off", enabled=False)
    limits = trend_of(page_of(reader, service))["limits"]
    # One unpacked size is no line, so its limit is none either.
    assert [(line["level"], line["kind"], line["bytes"]) for line in limits] == [
        ("warn", "compressed", 200 * MB), ("fail", "compressed", 300 * MB),
    ]  # fmt: skip
    assert limits[1]["label"] == "shops: compressed limit 300\xa0MB"


def test_limits_far_above_the_sizes_are_named_but_not_drawn(reader: Client) -> None:
    service = make_service(sizes=(10 * MB,))
    make_policy(warn_compressed_bytes=25 * MB, fail_compressed_bytes=600 * MB)
    page = page_of(reader, service)
    assert [line["bytes"] for line in trend_of(page)["limits"]] == [25 * MB]
    assert "1 limit from 600 MB up lies far above" in words(section(page, "trend"))


def test_one_image_under_two_tags_is_one_point(reader: Client) -> None:
    service = make_service(sizes=(MB,), tags=("2.6.0",))
    newest = service.snapshot
    newest.pk, newest.tag = None, "latest"
    newest.save()
    points = trend_of(page_of(reader, service))["points"]
    assert [point["tag"] for point in points] == ["2.6.0, latest"]
    assert points[0]["unpacked_bytes"] is None


def test_a_violation_shows_what_was_measured_and_the_limit(reader: Client) -> None:
    service = make_service(policy_state="fail")
    make_violation(service, make_policy("shops"))
    text = words(page_of(reader, service))
    assert "shops compressed 402 MB , limit 300 MB" in text
    assert "Over policy" in text


def test_layers_say_what_made_them_and_whose_they_are(reader: Client) -> None:
    image = make_image(("ADD rootfs.tar /", "RUN |1 TOKEN=hunter2 /bin/sh -c make", "COPY . /app"))
    service = make_service(image=image)
    make_analysis(service, base_layers=1)
    rows = section(page_of(reader, service), "layers").split("<tr>")[2:]
    assert ["base" in words(row).split() for row in rows] == [True, False, False]
    assert "ADD rootfs.tar /" in words(rows[0])
    assert "50 MB" in words(rows[0])
    assert "1,234" in words(rows[0])
    assert "hunter2" not in "".join(rows)
    assert "make" in rows[1]


def test_steps_stay_blank_where_history_does_not_fit_the_layers(reader: Client) -> None:
    image = make_image(("FIRST", "SECOND"))
    layer = Layer.objects.create(digest=digest("more"), media_type="", compressed_bytes=1)
    ImageLayer.objects.create(image=image, layer=layer, position=2)
    text = words(section(page_of(reader, make_service(image=image)), "layers"))
    assert "FIRST" not in text
    assert text.count("the image does not say which step made it") == 3


def test_a_broken_config_costs_the_steps_only(reader: Client) -> None:
    image = make_image()
    Image.objects.filter(pk=image.pk).update(config=b"<html>")
    assert "2 layers" in words(section(page_of(reader, make_service(image=image)), "layers"))


def test_findings_show_bytes_of_both_kinds_paths_and_step(reader: Client) -> None:
    service = make_service()
    make_finding(make_analysis(service), paths=["/var/cache/apt/archives/gcc.deb"], path_count=5123)
    text = words(section(page_of(reader, service), "findings"))
    assert "Package archives left behind Remove them in the step that downloads them." in text
    assert "5,123 paths /var/cache/apt/archives/gcc.deb only the largest are kept 90 MB 30 MB layer 1 ours" in text
    assert "removable: 30 MB compressed, 90 MB unpacked estimate" in text


def test_one_rule_in_several_layers_is_one_row_that_adds_up(reader: Client) -> None:
    service = make_service()
    analysis = make_analysis(service)
    for layer, size in ((0, 7 * MB), (3, 5 * MB)):
        make_finding(analysis, layer=layer, base=True, unpacked_bytes=size, compressed_bytes=2 * MB, advice="Long.")
    rows = section(page_of(reader, service), "findings").split("<tr>")[2:]
    assert len(rows) == 1
    text = words(rows[0])
    assert "Choose a smaller base" in text
    assert "Long." not in text
    assert "12 MB 4 MB 2 layers layer 0 base 7 MB unpacked, 2 MB compressed" in text


def test_small_findings_are_folded_and_counted(reader: Client) -> None:
    service = make_service()
    analysis = make_analysis(service)
    for at, size in enumerate((90 * MB, 50 * MB, 20 * MB, 2 * MB, 400_000, 300_000)):
        make_finding(analysis, rule=f"rule-{at}", unpacked_bytes=size)
    shown, folded = section(page_of(reader, service), "findings").split('<details class="fold">')
    assert shown.count("<tr>") == 1 + 4
    assert "2 smaller findings, 700 kB unpacked" in words(folded)


def test_a_long_build_step_opens_and_a_short_one_stands_whole(reader: Client) -> None:
    service = make_service(image=make_image(("RUN " + "x" * 200, "COPY . /app")))
    layers = section(page_of(reader, service), "layers")
    assert layers.count('<details class="step">') == 1
    assert '<code class="step">COPY . /app</code>' in layers


def test_packages_are_counted_by_ecosystem_and_the_largest_are_listed(reader: Client) -> None:
    packages = [{"ecosystem": "python", "name": "torch", "version": "2.3", "bytes": 200 * MB}]
    packages += [{"ecosystem": "debian", "name": f"lib{at}", "version": "1", "bytes": at} for at in range(30)]
    service = make_service()
    make_analysis(service, packages=packages)
    text = words(section(page_of(reader, service), "packages"))
    assert "31 in all debian 30 python 1" in text
    assert "torch 2.3 python 200 MB" in text
    assert "lib29" in text
    assert "lib5 " not in text
    assert "and 11 smaller ones" in text


def test_a_suggestion_shows_the_dockerfile_its_estimate_and_its_evidence(reader: Client) -> None:
    service = make_service()
    suggestion = make_suggestion(
        service,
        "rebuild",
        gates=[
            {"name": "entry point", "passed": True, "detail": "python is in the base."},
            {"name": "libraries", "passed": False, "detail": "libpq.so.5 is missing."},
        ],
        usable=False,
    )
    page = page_of(reader, service)
    part = page[page.index(f'id="suggestion-{suggestion.pk}"') : page.index('id="findings"')]
    text = words(part)
    assert "Compressed 302 MB less estimate Now 402 MB measured After 100 MB estimate" in text
    assert "Unpacked 900 MB less estimate" in text
    assert re.search(r'aria-label="passed".*?entry point', part, re.DOTALL)
    assert re.search(r'aria-label="failed".*?libpq\.so\.5 is missing\.', part, re.DOTALL)
    assert "A check failed" in text
    assert "Compilers stay in the build stage." in text
    assert "Try it before you ship it." in text
    assert "from our dated table" in text
    assert "Outlined from the image's history" in words(section(page, "suggestions"))


def test_the_code_on_the_page_is_the_dockerfile_to_the_letter(reader: Client) -> None:
    service = make_service()
    suggestion = make_suggestion(service, dockerfile=DOCKERFILE + 'RUN echo "<b>&amp;" \\\n  --flag $HOME\n')
    code = re.search(r'<code id="dockerfile-\d+">(.*?)</code>', page_of(reader, service), re.DOTALL)[1]
    assert html.unescape(re.sub(r"<[^>]*>", "", code)) == suggestion.dockerfile


def test_a_team_s_own_dockerfile_is_named_as_the_source(reader: Client) -> None:
    service = make_service(dockerfile="FROM python")
    make_suggestion(service, "rebuild")
    assert "Rewrites the team's own Dockerfile" in words(page_of(reader, service))


def test_both_modes_are_tabs_and_the_recommended_one_is_open(reader: Client) -> None:
    service = make_service()
    make_suggestion(service, "rebuild"), make_suggestion(service, "repack")
    page = page_of(reader, service)
    tabs = re.findall(r'id="tab-(\w+)" href="[^"]*" aria-controls="mode-\w+" aria-selected="(\w+)"', page)
    assert tabs == [("repack", "false"), ("rebuild", "true")]
    assert re.findall(r'<div id="mode-(\w+)"[^>]*?( hidden)?>', page) == [("repack", " hidden"), ("rebuild", "")]


def test_where_nothing_can_be_offered_the_reason_is_shown(reader: Client) -> None:
    service = make_service()
    make_suggestion(service, dockerfile="", obstacle="It is a static binary on scratch already.")
    assert "It is a static binary on scratch already." in words(page_of(reader, service))


def test_the_same_obstacle_for_every_mode_is_told_once_and_leads_to_the_findings(reader: Client) -> None:
    service = make_service()
    make_finding(make_analysis(service))
    for mode in ("repack", "rebuild"):
        make_suggestion(service, mode, dockerfile="", obstacle="There is no recipe for Go yet.", recommended=False)
    part = section(page_of(reader, service), "suggestions")
    assert part.count("There is no recipe for Go yet.") == 1
    assert 'role="tab"' not in part
    assert 'href="#findings"' in part


def test_only_what_the_last_scan_could_not_read_of_this_service_is_shown(reader: Client) -> None:
    service = make_service("shop/api")
    old, last = make_scan(service.registry), make_scan(service.registry, status=Scan.Status.PARTIAL)
    Service.objects.filter(pk=service.pk).update(last_scan=last)
    ScanError.objects.create(scan=last, repository="shop/api", tag="9", message="The blob is truncated.")
    ScanError.objects.create(scan=last, repository="shop/web", message="Of another service.")
    ScanError.objects.create(scan=old, repository="shop/api", message="Mended since.")
    text = words(page_of(reader, service))
    assert "could not read everything here. Go to the scan 9 The blob is truncated." in text
    assert "Of another service." not in text
    assert "Mended since." not in text


def test_a_service_that_was_never_weighed_says_what_comes_next(staff: Client) -> None:
    service = Service.objects.create(registry=make_registry(), repository="new", platform="linux/amd64")
    text = words(page_of(staff, service))
    assert "Not weighed yet" in text
    assert "Scan it now to see its size." in text


def test_a_service_that_was_not_analysed_says_so_in_each_part(reader: Client) -> None:
    page = page_of(reader, make_service())
    assert "Nothing suggested yet" in section(page, "suggestions")
    assert "Not analysed yet" in section(page, "findings")
    assert "Not analysed yet" in section(page, "packages")


def test_hostile_text_stays_text_everywhere(reader: Client) -> None:
    service = make_service(
        EVIL, owner=EVIL[:100], tags=(EVIL,), sizes=(MB,), image=make_image((EVIL,)), registry=make_registry(EVIL)
    )
    packages = [{"ecosystem": EVIL, "name": EVIL, "version": EVIL, "bytes": 1}]
    analysis = make_analysis(service, packages=packages, runtime_evidence=EVIL)
    make_finding(analysis, title=EVIL, advice=EVIL, created_by=EVIL, paths=[EVIL])
    make_suggestion(
        service, dockerfile=f"# {EVIL}\nRUN {EVIL}", reasons=[EVIL], notes=[EVIL], base_reference=EVIL,
        gates=[{"name": EVIL, "passed": False, "detail": EVIL}],
    )  # fmt: skip
    make_violation(service, make_policy(EVIL))
    page = page_of(reader, service)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert trend_of(page)["points"][0]["tag"] == EVIL


def test_queries_do_not_grow_with_what_is_shown(reader: Client) -> None:
    def queries(amount: int) -> int:
        service = make_service(sizes=(MB,) * amount, image=make_image(("RUN true",) * amount))
        analysis = make_analysis(service)
        for at in range(amount):
            make_finding(analysis)
            make_suggestion(service, f"mode-{at}")
            make_violation(service, make_policy())
        return queries_of(reader, f"/services/{service.pk}/")

    queries(1)
    assert queries(1) == queries(9)


def test_stored_layer_indexes_are_not_read_for_a_page(reader: Client, django_assert_max_num_queries) -> None:
    service = make_service()
    with django_assert_max_num_queries(20) as captured:
        page_of(reader, service)
    assert not [query for query in captured if '"fleet_layer"."index"' in query["sql"]]


class TestObservations:
    ROOT = {
        "name": "runs-as-root", "severity": "warning", "title": "Runs as root", "detail": "The image names no user.",
        "advice": "Set a numeric USER.", "on": None,
    }  # fmt: skip

    def shown(self, reader: Client, *observations: dict) -> str:
        service = make_service(f"shop/{len(observations)}-{Service.objects.count()}")
        make_analysis(service, observations=list(observations))
        return section(page_of(reader, service), "observations")

    def test_the_most_pressing_comes_first_with_what_to_do(self, reader: Client) -> None:
        secret = self.ROOT | {
            "name": "secret-file",
            "severity": "danger",
            "title": "A secret",
            "detail": "/root/.netrc",
        }
        text = words(self.shown(reader, self.ROOT, secret))
        assert "act A secret /root/.netrc Set a numeric USER. plan Runs as root The image names no user." in text

    def test_an_end_of_life_is_weighed_against_today(self, reader: Client) -> None:
        end = self.ROOT | {"title": "End of life of the base", "detail": "Debian 11"}
        past, far = end | {"on": "2026-08-31"}, end | {"on": "2999-01-01"}
        assert "act End of life of the base Debian 11: updates ended on 31 August 2026." in words(
            self.shown(reader, past)
        )
        assert "Debian 11" not in self.shown(reader, far)

    def test_markup_from_an_image_is_text(self, reader: Client) -> None:
        assert "<script>" not in self.shown(reader, self.ROOT | {"detail": EVIL})

    def test_nothing_to_remark_is_said(self, reader: Client) -> None:
        assert "Nothing to remark" in self.shown(reader)
