"""Judging the fleet anew from what is stored, without a question to any registry."""

from __future__ import annotations

from contextlib import closing
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from fleet import scanning
from fleet.analysis.analyse import RULESET
from fleet.models import Analysis, BaseImage, Image, Layer, Registry, Service, Snapshot, Suggestion
from fleet.scanning import reanalysis
from fleet.scanning.reanalysis import Outcome, Reanalysis, StoredBases
from tests.fakes.pushable import PushableRegistry
from tests.scanning.runs import only_service, scan

BASE = "python:3.11-slim"


@pytest.fixture
def scanned(server: PushableRegistry, registry: Registry) -> Service:
    """A service that was judged by the rules of an older version; its registry knows nothing any more."""
    scan(registry)
    server.delete("team/app")
    Analysis.objects.update(ruleset=RULESET - 1, runtime="", reclaimable_compressed_bytes=-1)
    return only_service()


def reanalyse(**options: bool) -> dict[Outcome, int]:
    return dict(scanning.reanalyse(scanning.due(Service.objects.all(), **options)).outcomes)


class TestReanalyse:
    def test_it_judges_by_the_present_rules_without_a_registry(
        self, scanned: Service, server: PushableRegistry
    ) -> None:
        asked = len(server.requests)
        assert reanalyse() == {"judged": 1}
        analysis = Analysis.objects.get()
        assert (analysis.ruleset, analysis.runtime) == (RULESET, "python")
        assert analysis.reclaimable_compressed_bytes >= 0
        assert len(server.requests) == asked

    def test_what_the_present_rules_judged_is_not_due(self, scanned: Service) -> None:
        reanalyse()
        assert reanalyse() == {}
        assert reanalyse(everything=True) == {"judged": 1}

    def test_the_ranking_shows_the_new_word(self, scanned: Service) -> None:
        Service.objects.update(runtime="cobol")
        reanalyse()
        assert Service.objects.get().runtime == "python"

    def test_an_index_of_another_version_sends_the_service_to_a_scan(self, scanned: Service) -> None:
        Layer.objects.update(index=b"plimsoll-layer-index 0\n{}")
        assert reanalyse() == {"unread": 1}
        assert Analysis.objects.get().ruleset == RULESET - 1

    def test_one_that_fails_does_not_stop_the_others(self, scanned: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        other = Service.objects.create(registry=scanned.registry, repository="team/other", platform=scanned.platform)
        newest = Snapshot.objects.get(pk=scanned.snapshot_id)
        newest.pk, newest.service = None, other
        newest.save()
        Service.objects.filter(pk=other.pk).update(snapshot=newest, compressed_bytes=1)
        judge = reanalysis.judge

        def failing(service: Service, *rest: object) -> object:
            if service.pk == scanned.pk:
                raise ZeroDivisionError
            return judge(service, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(reanalysis, "judge", failing)
        assert reanalyse() == {"failed": 1, "judged": 1}
        assert other.suggestions.exists()

    def test_progress_is_told_for_each_service_and_at_the_end(self, scanned: Service) -> None:
        told: list[tuple[int, int, str]] = []

        def show(progress: Reanalysis) -> None:
            told.append((progress.done, progress.total, progress.repository))

        scanning.reanalyse(scanning.due(Service.objects.all()), show)
        assert told == [(0, 1, "team/app"), (1, 1, "")]


class TestStoredBases:
    def test_a_base_that_was_read_before_is_found_with_its_files(self, scanned: Service) -> None:
        assert scanned.snapshot is not None
        pinned = "sha256:" + "a" * 64
        BaseImage.objects.create(name=BASE, image=scanned.snapshot.image, head_digest=pinned)
        Image.objects.update(platform=scanned.platform)
        base = StoredBases(scanned).find(["python:3.11-alpine", BASE])
        assert base is not None
        assert base.tree is not None
        assert (base.reference, base.source, base.digest) == (BASE, "registry", pinned)

    def test_a_mirror_serves_under_its_own_name(self, scanned: Service) -> None:
        assert scanned.snapshot is not None
        scanned.registry.base_mirrors = "docker.io/library=mirror.example/hub"
        BaseImage.objects.create(name="mirror.example/hub/python:3.11-slim", image=scanned.snapshot.image)
        Image.objects.update(platform=scanned.platform)
        base = StoredBases(scanned).find([BASE])
        assert base is not None
        assert base.reference == "mirror.example/hub/python:3.11-slim"

    def test_one_of_another_platform_is_left_alone(self, scanned: Service) -> None:
        assert scanned.snapshot is not None
        BaseImage.objects.create(name=BASE, image=scanned.snapshot.image)
        Image.objects.update(platform="linux/s390x")
        base = StoredBases(scanned).find([BASE])
        assert base is not None
        assert base.source == "table"

    def test_what_was_pinned_before_stays_pinned(self, scanned: Service) -> None:
        pinned = f"python:3.11@sha256:{'b' * 64}"
        Suggestion.objects.update_or_create(
            service=scanned,
            mode="rebuild",
            tier="slim",
            defaults={"image": scanned.snapshot.image, "dockerfile": f"FROM {pinned} AS build\nFROM scratch\n"},  # type: ignore[union-attr]
        )
        bases = StoredBases(scanned)
        assert bases.pin("python:3.11") == pinned
        assert bases.pin("docker.io/library/python:3.11") == pinned
        assert bases.pin("python:3.12") is None


class TestCommand:
    def test_it_tells_what_it_judged(self, scanned: Service) -> None:
        out = StringIO()
        call_command("reanalyze", stdout=out)
        assert out.getvalue().splitlines() == ["1/1 team/app", "1 service judged anew."]

    def test_it_says_what_has_to_be_scanned_first(self, scanned: Service) -> None:
        Layer.objects.update(index=None)
        errors = StringIO()
        with pytest.raises(SystemExit) as exit_:
            call_command("reanalyze", stdout=StringIO(), stderr=errors)
        assert exit_.value.code == 1
        assert "1 service has to be read by a scan first" in errors.getvalue()

    def test_a_named_service_is_judged_even_where_it_was(self, scanned: Service) -> None:
        call_command("reanalyze", stdout=StringIO())
        out = StringIO()
        call_command("reanalyze", "team/app", stdout=out)
        assert "1 service judged anew." in out.getvalue()

    def test_a_named_service_that_is_gone_is_named_again(self, scanned: Service) -> None:
        Service.objects.update(gone_at=timezone.now())
        errors = StringIO()
        with pytest.raises(SystemExit) as exit_:
            call_command("reanalyze", "team/app", stdout=StringIO(), stderr=errors)
        assert exit_.value.code == 1
        assert "There is no image to judge of team/app" in errors.getvalue()

    def test_a_name_that_nobody_has_is_refused(self, scanned: Service) -> None:
        with pytest.raises(CommandError, match="No service is called team/nothing"):
            call_command("reanalyze", "team/nothing")


def test_images_of_an_engine_keep_their_short_name(registry: Registry) -> None:
    service = Service(registry=registry, repository="team/app")
    assert reanalysis.image_name(service).endswith("/team/app")
    registry.kind = Registry.Kind.ENGINE
    assert reanalysis.image_name(service) == "team/app"


def test_names_are_those_that_a_scan_gives(server: PushableRegistry, registry: Registry) -> None:
    scan(registry)
    service = only_service()
    with closing(scanning.connect(registry)) as endpoint:
        assert reanalysis.image_name(service) == endpoint.source(service.repository).name
