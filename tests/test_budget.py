"""One request budget per registry, in Redis for all workers, in the process where there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fleet.models import Registry
from fleet.oci.errors import RateLimited
from fleet.scanning import budget
from fleet.scanning.budget import SharedPace, note_limit
from tests.servers import redis_process

HUB = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600"}


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with redis_process(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture(params=["Redis", "no Redis"])
def shelf(request: pytest.FixtureRequest, redis_port: int, monkeypatch: pytest.MonkeyPatch) -> str:
    shared = budget._RedisShelf(f"redis://127.0.0.1:{redis_port}/0") if request.param == "Redis" else None
    if shared:
        shared._client.flushall()
    monkeypatch.setattr(budget, "_shared", shared)
    monkeypatch.setattr(budget, "_own", budget._OwnShelf())
    monkeypatch.setattr(budget, "_try_redis_at", float("inf"))
    return str(request.param)


def _pace(per_minute: int | None, key: int = 1, patience_seconds: float = 10) -> tuple[SharedPace, list[float]]:
    """A pace that does not sleep but tells for how long it would."""
    slept: list[float] = []
    registry = Registry(pk=key, name="Hub", requests_per_minute=per_minute)
    return SharedPace(registry, sleep=slept.append, patience_seconds=patience_seconds), slept


@pytest.mark.usefixtures("shelf")
class TestAdmin:
    def test_without_a_budget_nothing_waits(self) -> None:
        pace, slept = _pace(None)
        for _ in range(100):
            pace.admit()
        assert slept == []

    def test_the_budget_holds_across_workers(self) -> None:
        (first, _), (second, _) = _pace(5), _pace(5)
        for pace in (first, second, first, second, first):
            pace.admit()
        with pytest.raises(RateLimited) as limited:
            second.admit()
        assert "Hub" in str(limited.value)
        assert 40 < (limited.value.retry_after_seconds or 0) <= 60

    def test_a_worker_waits_for_its_turn_and_shows_that_it_lives(self) -> None:
        beats: list[float] = []
        registry = Registry(pk=1, name="Hub", requests_per_minute=1)

        def beat() -> None:
            beats.append(1)
            if len(beats) == 3:
                raise InterruptedError

        pace = SharedPace(registry, sleep=lambda seconds: None, beat=beat)
        pace.admit()
        with pytest.raises(InterruptedError):
            pace.admit()

    def test_a_shorter_rest_does_not_cut_a_longer_one_short(self) -> None:
        budget.rest(1, 300)
        budget.rest(1, 20)
        with pytest.raises(RateLimited) as limited:
            _pace(None)[0].admit()
        assert (limited.value.retry_after_seconds or 0) > 250
        budget.wake(1)
        SharedPace(Registry(pk=1, name="Hub")).admit()

    def test_another_registry_has_its_own(self) -> None:
        (mine, _), (other, _) = _pace(1), _pace(1, key=2)
        mine.admit()
        other.admit()

    def test_a_rest_holds_for_everybody(self) -> None:
        budget.rest(1, 300)
        with pytest.raises(RateLimited) as limited:
            _pace(None)[0].admit()
        assert 290 < (limited.value.retry_after_seconds or 0) <= 300
        _pace(None, key=2)[0].admit()

    def test_a_short_rest_is_slept_in_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        budget.rest(1, 0.2)
        pace = SharedPace(Registry(pk=1, name="Hub"))
        pace.admit()


def test_a_redis_that_goes_away_stops_nobody(redis_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = budget._RedisShelf(f"redis://127.0.0.1:{redis_port}/0")
    monkeypatch.setattr(budget, "_shared", shelf)
    monkeypatch.setattr(budget, "_own", budget._OwnShelf())
    monkeypatch.setattr(budget, "_try_redis_at", 0.0)
    shelf._client.connection_pool.connection_kwargs["port"] = 1
    shelf._client.connection_pool.disconnect()
    pace, _ = _pace(1)
    pace.admit()
    with pytest.raises(RateLimited):
        pace.admit()


@pytest.mark.django_db
class TestTheRegistrysOwn:
    def test_what_it_says_of_its_limit_is_shown(self) -> None:
        registry = Registry.objects.create(name="Hub", url="https://docker.io")
        pace = SharedPace(registry)
        pace.heard(200, HUB)
        note_limit(registry.pk)
        registry.refresh_from_db()
        assert (registry.limit_requests, registry.limit_remaining, registry.limit_window_seconds) == (100, 76, 21600)
        assert registry.limit_seen_at is not None

    def test_the_same_again_is_no_write(self, django_assert_num_queries) -> None:
        registry = Registry.objects.create(name="Hub", url="https://docker.io")
        SharedPace(registry).heard(200, {})
        with django_assert_num_queries(0):
            note_limit(registry.pk)
