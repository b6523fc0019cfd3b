"""Which rungs are offered, and which of them is recommended."""

from dataclasses import replace

import pytest

from fleet.analysis.analyse import analyse
from fleet.dockerfile.ladder import climb, ladder, recommended
from fleet.dockerfile.suggestion import TIERS, BaseImage, Gate, Obstacle, Suggestion
from fleet.image.sizes import Sizes
from tests.dockerfile import images as i
from tests.dockerfile.test_suggest import BASES


def rung(tier, megabytes, *, mode="repack", passed=True):
    size = Sizes(megabytes * 1_000_000, megabytes * 400_000)
    return Suggestion(
        mode, tier, "FROM x\n", BaseImage("x", Sizes(0, 0), "table"), Sizes(1_000_000_000, 400_000_000), size,
        (Gate("a gate", passed, "because"),),
    )  # fmt: skip


def climbed(**megabytes):
    return climb(lambda mode, tier: rung(tier, megabytes[tier], mode=mode))


def test_the_ladder_has_every_rung_in_every_mode():
    found = ladder(i.service(config=replace(i.CONFIG, cmd=("python", "/app/manage.py"))), _analysis(), bases=BASES)
    assert [(each.mode, each.tier) for each in found.rungs] == [
        (mode, tier) for mode in ("repack", "rebuild") for tier in TIERS
    ]


def _analysis():
    return analyse(i.service(config=replace(i.CONFIG, cmd=("python", "/app/manage.py"))))


def test_each_rung_of_a_python_service_is_smaller_and_passes_its_gates():
    base = {**i.COMPILER, "usr/share/fonts/large": 90_000_000}
    history = (*i.BASE_HISTORY, *(i.HistoryEntry(step) for step, _ in i.STEPS))
    config = replace(i.CONFIG, cmd=("python", "/app/manage.py"), history=history)
    loaded = i.image(i.DEBIAN, base, i.PYTHON, *(files for _, files in i.STEPS), config=config)
    rungs = ladder(loaded, analyse(loaded), bases=BASES, dockerfile=i.TRADITIONAL).rungs
    for mode in ("repack", "rebuild"):
        offered = [each for each in rungs if isinstance(each, Suggestion) and each.mode == mode]
        assert all(each.usable for each in offered)
        sizes = [each.after.unpacked_bytes for each in offered]
        assert sizes == sorted(sizes, reverse=True)
        assert [each.tier for each in offered][:2] == ["cleaned", "slim"]
        assert all(each.risk for each in offered)


def test_a_rung_without_gain_is_no_rung():
    found = climbed(cleaned=900, slim=400, distroless=396, scratch=300)
    obstacle = found.rungs[2]
    assert isinstance(obstacle, Obstacle)
    assert obstacle.reason == (
        "It would weigh 396 MB unpacked, against 400 MB on the slim step: no gain worth its risk."
    )
    assert isinstance(found.rungs[3], Suggestion)


def test_a_rung_that_fails_its_gates_is_no_measure_for_the_next():
    rungs = {"cleaned": rung("cleaned", 900), "slim": rung("slim", 100, passed=False)}
    found = climb(lambda mode, tier: rungs.get(tier, rung(tier, 400)))
    assert isinstance(found.rungs[2], Suggestion)


@pytest.mark.parametrize(
    ("sizes", "tier"),
    [
        ((900, 400, 300, 100), "scratch"),
        ((900, 400, 300, 200), "distroless"),
        ((900, 400, 380, 370), "slim"),
        ((900, 880, 400, 100), "scratch"),
    ],
)
def test_the_recommended_rung_is_the_last_that_takes_a_share_worth_its_risk(sizes, tier):
    assert climbed(**dict(zip(TIERS, sizes, strict=True))).recommended.tier == tier


def test_a_rung_with_a_failed_gate_is_never_recommended():
    assert recommended([rung("slim", 400), rung("scratch", 100, passed=False)]).tier == "slim"
    assert recommended([rung("slim", 400, passed=False)]) is None
    assert recommended([Obstacle("repack", "slim", "No.")]) is None


def test_of_two_modes_on_a_rung_the_smaller_is_recommended():
    assert recommended([rung("slim", 400), rung("slim", 390, mode="rebuild")]).mode == "rebuild"


def test_what_takes_nothing_off_a_pull_is_not_recommended():
    assert recommended([rung("cleaned", 1000)]) is None
