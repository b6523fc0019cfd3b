"""The seed's image, proven: the article's files as they are, and every rung that is suggested in their stead built,
pushed, weighed and asked on a real engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fleet.analysis.analyse import analyse
from fleet.analysis.findings import Analysis
from fleet.dockerfile.bases import RegistryBases
from fleet.dockerfile.faults import find_faults
from fleet.dockerfile.ladder import MODES, Offer, ladder
from fleet.dockerfile.parse import parse_dockerfile
from fleet.dockerfile.suggestion import TIERS, Obstacle, Suggestion, Tier
from fleet.image.sizes import Sizes
from tests.applications.workshop import DoesNotWork
from tests.seed import article
from tests.seed.bench import Answer, Bench

UNPACKED_PERCENT = 5.0
COMPRESSED_PERCENT = 10.0
# What must be offered, build, and answer as somebody else than root. Cleaned changes nothing but the waste.
PROMISED: tuple[Tier, ...] = ("slim", "distroless", "scratch")
# The kinds of faults that each of the article's files has.
FAULTS: Mapping[str, frozenset[str]] = {
    "two-stage": frozenset({"dependencies not copied"}),
    "scratch": frozenset({"dependencies not copied", "no interpreter", "no shell"}),
}
MOST_FINDINGS = 6
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Broken:
    """A file of the article that does not work. ``said`` is what the engine or the program said in the end, ``kinds``
    and ``sentences`` what our check says of its text. ``answer`` is there where it worked after all."""

    name: str
    sizes: Sizes
    said: str
    kinds: frozenset[str]
    sentences: tuple[str, ...]
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Original:
    """The image of the article's traditional file. ``findings`` are (title, what it claims), the largest first;
    ``reclaimable`` is the sum of all of them, ``notes`` what weighs nothing."""

    sizes: Sizes
    read: Sizes
    runtime: str
    findings: tuple[tuple[str, Sizes], ...]
    reclaimable: Sizes
    notes: tuple[str, ...]
    answer: Answer


@dataclass(frozen=True, slots=True)
class Rung:
    """``obstacle`` is why it is not offered, ``failure`` what was wrong when it was built and run. ``base`` is what its
    final stage starts from."""

    mode: str
    tier: str
    obstacle: str = ""
    failure: str = ""
    base: str = ""
    dockerfile: str = ""
    estimated: Sizes | None = None
    measured: Sizes | None = None
    answer: Answer | None = None

    @property
    def name(self) -> str:
        return f"{self.mode} {self.tier}"

    @property
    def percents_off(self) -> tuple[float, float] | None:
        """How far the estimate is off what was built: unpacked and compressed. Too low is negative."""
        if self.estimated is None or self.measured is None:
            return None
        return (
            100 * (self.estimated.unpacked_bytes / self.measured.unpacked_bytes - 1),
            100 * (self.estimated.compressed_bytes / self.measured.compressed_bytes - 1),
        )

    def faults(self) -> Iterator[str]:
        """What is not as promised, in sentences."""
        if self.tier in PROMISED and self.obstacle:
            yield f"{self.name}: it must be offered, but: {self.obstacle}"
        if self.failure:
            yield f"{self.name}: {self.failure}"
        if self.answer is not None and self.answer.status != 200:
            yield f"{self.name}: it answers {self.answer.status}: {self.answer.body[-600:]}"
        if self.answer is not None and 0 in self.answer.uids:
            yield f"{self.name}: a process of it runs as root"
        if self.percents_off is not None:
            limits = (("unpacked", UNPACKED_PERCENT), ("compressed", COMPRESSED_PERCENT))
            for (kind, limit), off in zip(limits, self.percents_off, strict=True):
                if abs(off) > limit:
                    yield f"{self.name}: the {kind} estimate is {off:+.1f} % off, more than {limit:.0f} %"


@dataclass(frozen=True, slots=True)
class Proof:
    """``official`` tells whether the bases were the published ones."""

    official: bool
    original: Original
    broken: tuple[Broken, ...]
    rungs: tuple[Rung, ...]

    def faults(self) -> Iterator[str]:
        """What does not hold, in sentences; none where the seed is proven."""
        if self.original.sizes != self.original.read:
            yield f"traditional: read as {self.original.read}, where the engine and the registry say otherwise"
        if self.original.answer.status != 200:
            yield f"traditional: it answers {self.original.answer.status}"
        for each in self.broken:
            if each.answer is not None:
                yield f"{each.name}: it is held for broken, and answers {each.answer.status}"
            if lacking := FAULTS[each.name] - each.kinds:
                yield f"{each.name}: the check does not say {' and '.join(sorted(lacking))}"
        for rung in self.rungs:
            yield from rung.faults()


def prove(bench: Bench, tiers: Sequence[Tier] = TIERS, say: Say = lambda sentence: None) -> Proof:
    """The article's files and the rungs of ``tiers``, a sentence each to ``say``. Raises DoesNotWork where the
    article's traditional file does not."""
    reference, original, offers = _traditional(bench)
    say(f"traditional: {_sizes(original.sizes)}, HTTP {original.answer.status}")
    broken = tuple(try_broken(bench, name) for name in article.BROKEN)
    for each in broken:
        say(f"{each.name}: {_sizes(each.sizes)}, ends with: {each.said}")

    def climb_all(mode: str) -> list[Rung]:
        return [
            _climb(bench, offer, original.answer, say) for offer in offers if offer.mode == mode and offer.tier in tiers
        ]

    # Those of one mode share the stages before the last, which the engine keeps when it has made them once.
    with ThreadPoolExecutor(len(MODES)) as pool:
        rungs = tuple(rung for of_mode in pool.map(climb_all, MODES) for rung in of_mode)
    bench.forget(reference)
    return Proof(bench.official, original, broken, rungs)


def _traditional(bench: Bench) -> tuple[str, Original, Sequence[Offer]]:
    """The reference of its image, what is known of that, and what is suggested for it."""
    text = article.buildable(article.TRADITIONAL, bench.mirror)
    reference = bench.build(f"traditional:{bench.mark}", text, bench.checkout)
    bench.workshop.push(reference)
    image = bench.load(reference)
    analysis = analyse(image)
    bases = RegistryBases(
        bench.mirrors, platform=image.config.platform, plain_http=True, load=bench.workshop.load_from, hosts=None
    )
    offers = ladder(image, analysis, bases=bases, dockerfile=text).rungs
    answer = bench.ask(reference, as_is=True)
    runtime = f"{analysis.runtime.name} {analysis.runtime.version}".strip()
    notes = tuple(observation.title for observation in analysis.observations)
    findings = _findings(analysis)[:MOST_FINDINGS]
    weighed = bench.weigh(reference)
    return (
        reference,
        Original(weighed, image.sizes, runtime, findings, analysis.reclaimable, notes, answer),
        offers,
    )


def _findings(analysis: Analysis) -> tuple[tuple[str, Sizes], ...]:
    """What each title claims, over all layers."""
    sums: dict[str, Sizes] = {}
    for finding in analysis.findings:
        sums[finding.title] = sums.get(finding.title, Sizes(0, 0)) + finding.sizes
    return tuple(sorted(sums.items(), key=lambda item: -item[1].unpacked_bytes))


def try_broken(bench: Bench, name: str) -> Broken:
    """Check a file's text as published, then build and start it."""
    faults = find_faults(parse_dockerfile(article.published(name)))
    reference = bench.build(f"{name}:{bench.mark}", article.buildable(name, bench.mirror), bench.checkout)
    said, answer = "", None
    try:
        bench.workshop.push(reference)
        answer = bench.ask(reference, as_is=True)
    except DoesNotWork as error:
        said = last_words(str(error))
    finally:
        sizes = bench.weigh(reference)
        bench.forget(reference)
    kinds = frozenset(fault.kind for fault in faults)
    return Broken(name, sizes, said, kinds, tuple(fault.sentence for fault in faults), answer)


def last_words(log: str) -> str:
    """The line that tells why it ended: the engine's words about a program, else the exception, else the last line."""
    if found := re.search(r'exec: "[^"\n]*": [^\n"]*?(?=: unknown|["\n)]|$)', log):
        return found[0]
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    exceptions = [line for line in lines if re.match(r"[\w.]+(?:Error|Exception): ", line)]
    return (exceptions or lines or [""])[-1]


def _climb(bench: Bench, offer: Suggestion | Obstacle, expected: Answer, say: Say) -> Rung:
    rung = _try(bench, offer, expected)
    if rung.obstacle:
        say(f"{rung.name}: not offered: {rung.obstacle}")
    elif rung.failure:
        say(f"{rung.name}: fails: {rung.failure[-600:]}")
    elif rung.measured and rung.answer:
        say(f"{rung.name}: {_sizes(rung.measured)}, HTTP {rung.answer.status} as uid {rung.answer.shown_uids}")
    return rung


def _try(bench: Bench, offer: Suggestion | Obstacle, expected: Answer) -> Rung:
    if isinstance(offer, Obstacle):
        return Rung(offer.mode, offer.tier, obstacle=offer.reason)
    if not offer.usable:
        reason = "; ".join(gate.detail for gate in offer.gates if not gate.passed)
        return Rung(offer.mode, offer.tier, obstacle=reason, dockerfile=offer.dockerfile)
    name = f"{offer.mode}-{offer.tier}:{bench.mark}"
    reference, failure, measured, answer = bench.name(name), "", None, None
    try:
        bench.build(name, offer.dockerfile, bench.checkout if offer.mode == "rebuild" else None)
        bench.workshop.push(reference)
        measured = bench.weigh(reference)
        answer = bench.ask(reference)
        if answer.status == 200 and answer.body != expected.body:
            failure = f"it answers {answer.body[:300]!r} where the original answers {expected.body[:300]!r}"
    except DoesNotWork as error:
        failure = str(error)
    finally:
        bench.forget(reference)
    base = bench.shown(offer.base.reference)
    return Rung(offer.mode, offer.tier, "", failure, base, offer.dockerfile, offer.after, measured, answer)


def _sizes(sizes: Sizes) -> str:
    return f"{sizes.unpacked_bytes / 1e6:.1f} MB unpacked, {sizes.compressed_bytes / 1e6:.1f} MB compressed"
