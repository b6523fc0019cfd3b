"""One suggestion built and run beside the image that it would replace, under the same probe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from fleet.dockerfile.parse import InvalidDockerfile
from fleet.image.sizes import Sizes
from fleet.oci.errors import RegistryError
from fleet.verification.behaviour import Behaviour, Hidden
from fleet.verification.building import BuildFailed, build, labelled
from fleet.verification.causes import OUTSIDE, find_cause
from fleet.verification.cleanup import Mark, clean, sweep
from fleet.verification.comparing import Comparison, Verdict, compare, why_not
from fleet.verification.context import packed
from fleet.verification.engine import Engine, EngineSettings, Logins, connected
from fleet.verification.images import Shelf, Unavailable, bases_of, import_relay
from fleet.verification.probing import Probe
from fleet.verification.running import Room, observe, passes
from fleet.verification.watch import Deadline, Log, TimeOver, Unwatched, Watch
from fleet.verification.weighing import weigh

_CLEANING_SECONDS = 120.0
_TOOK_LONG = "Nothing is proven: give it more time, or look at the log for what it waited for."


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be verified. ``original`` is what FROM calls the image that is replaced; ``platform`` is its own.
    ``context`` is what a rebuild builds in: a git URL, or where ``local`` says that a person at a terminal names it, a
    directory; empty for a repack, which needs none."""

    dockerfile: str
    original: str
    platform: str = "linux/amd64"
    probe: Probe = field(default_factory=Probe)
    context: str = ""
    local: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """``cause`` is empty where it is verified. ``measured`` is what the built image weighs, None where none was built;
    ``probe`` what was asked in the end; ``read_only`` whether both ran without a writable root."""

    verdict: Verdict
    reasons: tuple[str, ...]
    cause: str = ""
    original: Behaviour | None = None
    candidate: Behaviour | None = None
    measured: Sizes | None = None
    probe: Probe = field(default_factory=Probe)
    read_only: bool = False
    log: str = ""
    seconds: float = 0.0


def verify(order: Order, settings: EngineSettings, logins: Logins, watch: Watch | None = None) -> Outcome:
    """Build, run, compare, and leave nothing behind. What goes wrong on the way is an outcome with a sentence; what
    ``watch`` raises, and an interruption, pass through once the engine is clean."""
    began_at = time.monotonic()
    hidden = Hidden.of(order.probe.environment)
    job = _Job(order, settings, logins, watch or Unwatched(), Log(hidden), hidden)
    try:
        outcome = job.outcome()
    except RegistryError as error:
        outcome = job.inconclusive(str(error), "engine")
    except TimeOver as error:
        outcome = job.inconclusive(f"{error}. {_TOOK_LONG}", "time-limit")
    return replace(outcome, log=job.log.text, seconds=round(time.monotonic() - began_at, 1))


class _Job:
    def __init__(
        self, order: Order, settings: EngineSettings, logins: Logins, watch: Watch, log: Log, hidden: Hidden
    ) -> None:
        self.log = log
        self._order = order
        self._settings = settings
        self._logins = logins
        self._watch = watch
        self._hidden = hidden
        self._deadline = Deadline(settings.limits.whole_seconds)
        self._so_far = Outcome("inconclusive", (), probe=order.probe)

    def inconclusive(self, sentence: str, cause: str) -> Outcome:
        return replace(self._so_far, verdict="inconclusive", reasons=(sentence,), cause=cause)

    def outcome(self) -> Outcome:
        self._watch.follows(self.log)
        self._step("Connecting to the engine")
        with connected(self._settings) as engine:
            if reason := _unfit(engine, self._order.platform):
                return self.inconclusive(reason, "other-platform")
            with _cleaned(engine, self._deadline) as mark:
                return self._on(engine, mark)

    def _on(self, engine: Engine, mark: Mark) -> Outcome:
        relay = import_relay(engine, mark)
        room = Room(engine, mark, relay, self._hidden, self._watch, self._deadline)
        shelf = Shelf(engine, mark, self._logins, deadline=self._deadline, log=self.log, watch=self._watch)
        try:
            shelf.bring(self._order.original)
            for base in bases_of(self._order.dockerfile):
                shelf.bring(base)
            candidate = self._built(engine, mark, shelf)
        except Unavailable as error:
            return self.inconclusive(str(error), "image-unavailable")
        except InvalidDockerfile as error:
            return self._failed(f"The Dockerfile cannot be read: {error}", "build-failed")
        except BuildFailed as error:
            return self._not_built(str(error))
        self._step("Weighing what was built")
        self._so_far = replace(self._so_far, measured=weigh(self._settings, candidate, self._watch))
        return self._compared(room, shelf, candidate)

    def _built(self, engine: Engine, mark: Mark, shelf: Shelf) -> str:
        """The name of the image that was built."""
        order = self._order
        name = mark.name("candidate")
        if order.context:
            self._step("Fetching the context")
        text = labelled(order.dockerfile, mark)
        with packed(
            text,
            order.context,
            limit_bytes=engine.limits.context_bytes,
            deadline=self._deadline,
            watch=self._watch,
            local=order.local,
        ) as context:
            self._step("Building")
            build(
                engine,
                mark,
                context,
                name=name,
                platform=order.platform,
                logins=shelf.logins,
                deadline=self._deadline,
                log=self.log,
                watch=self._watch,
            )
        return name

    def _compared(self, room: Room, shelf: Shelf, candidate: str) -> Outcome:
        user = shelf.user(self._order.original)
        original, probe, read_only = self._run_original(room, user)
        self._so_far = replace(self._so_far, original=original, probe=probe, read_only=read_only)
        if not passes(original, probe):
            return self._with(why_not(original, probe))
        self._step("Running the candidate")
        ends = not original.running
        seen, _ = observe(room, candidate, probe, read_only=read_only, user=shelf.user(candidate), ends=ends)
        self._so_far = replace(self._so_far, candidate=seen)
        comparison = compare(original, seen, probe)
        if comparison.only_output:
            self._step("Running the original once more")
            again, _ = observe(room, self._order.original, probe, read_only=read_only, user=user, ends=ends)
            comparison = compare(original, seen, probe, again)
        return self._with(comparison)

    def _run_original(self, room: Room, user: str) -> tuple[Behaviour, Probe, bool]:
        """Read-only where it stands that, else as images usually run."""
        for read_only in (True, False):
            self._step(f"Running the original{', read-only' if read_only else ''}")
            behaviour, probe = observe(room, self._order.original, self._order.probe, read_only=read_only, user=user)
            if passes(behaviour, probe):
                break
        return behaviour, probe, read_only

    def _not_built(self, said: str) -> Outcome:
        cause = find_cause((said, *reversed(self.log.last_lines)))
        why = (cause.sentence,) if cause else ()
        if cause and cause.code in OUTSIDE:
            reasons = (
                "It could not be built here, which says nothing of the Dockerfile.",
                *why,
                f"It ended with: {said}",
            )
            return replace(self._so_far, verdict="inconclusive", reasons=reasons, cause=cause.code)
        return self._failed(f"The Dockerfile does not build: {said}", cause.code if cause else "build-failed", *why)

    def _failed(self, sentence: str, cause: str, *more: str) -> Outcome:
        return replace(self._so_far, verdict="failed", reasons=(sentence, *more), cause=cause)

    def _with(self, comparison: Comparison) -> Outcome:
        return replace(self._so_far, verdict=comparison.verdict, reasons=comparison.reasons, cause=comparison.cause)

    def _step(self, sentence: str) -> None:
        self.log.add(sentence)
        self._watch.step(sentence)


@contextmanager
def _cleaned(engine: Engine, deadline: Deadline) -> Iterator[Mark]:
    """A mark whose things are gone at the end of the block, whatever ends it."""
    sweep(engine)
    mark = Mark.fresh(deadline.seconds + _CLEANING_SECONDS)
    try:
        yield mark
    finally:
        clean(engine, mark)


def _unfit(engine: Engine, platform: str) -> str:
    """Why the engine cannot run an image for a platform, in a sentence; empty where it can."""
    architecture = platform.partition("/")[2].partition("/")[0]
    if architecture in ("", engine.architecture):
        return ""
    return (
        f"The image is for {platform} and the engine for linux/{engine.architecture}: it would not run there. "
        "Configure an engine of that kind."
    )
