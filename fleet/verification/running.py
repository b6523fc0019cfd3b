"""One image run under a probe, and what it did."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace

from fleet.verification import probing
from fleet.verification.behaviour import Answer, Behaviour, Hidden, parse_answer
from fleet.verification.cleanup import Mark
from fleet.verification.containers import Running, Setting, beside, started
from fleet.verification.engine import Engine, Refused
from fleet.verification.probing import Probe
from fleet.verification.watch import Deadline, TimeOver, Watch

_LOOK_SECONDS = 0.25
# So long an image has to go on once it has answered.
_AFTER_SECONDS = 0.5
_TRIES_PER_SECOND = 10
# A server that keeps the connection has said all after so long.
_SILENCE_SECONDS = 2.0
# A connection that is ended without a word so often is no HTTP.
_HANGS_UP = 3
_STARTS = 3
_SERVER_ERROR = 500
# What container runtimes say before they come to the point.
_RUNTIME = re.compile(
    r"^(?:[a-z. ]{0,20}fail[a-z ]{0,40}|OCI runtime [a-z ]{0,40}|runc [a-z ]{0,40}"
    r"|unable to start container process|[\w.]{1,40}\.go:\d{1,5}|starting container process caused): "
)


@dataclass(frozen=True, slots=True)
class Room:
    """Where images are run: an engine, whose things they are, the image of the probe's program."""

    engine: Engine
    mark: Mark
    relay: str
    hidden: Hidden
    watch: Watch
    deadline: Deadline


def observe(
    room: Room, image: str, probe: Probe, *, read_only: bool, user: str = "", ends: bool = False
) -> tuple[Behaviour, Probe]:
    """What an image does, and the probe with what an ``auto`` one found to ask. One that ``ends``, as the original
    did, is waited for as long as for an answer. Raises RegistryError where the engine fails, and TimeOver where the
    whole is out of time."""
    setting = Setting(read_only, probe.command if probe.kind == "command" else (), probe.environment)
    for _ in range(_STARTS - 1):
        try:
            return _observe(room, image, setting, probe, user, ends=ends)
        except Refused as refused:
            room.watch.beat()
            if refused.status < _SERVER_ERROR:
                raise
        time.sleep(_LOOK_SECONDS)
    return _observe(room, image, setting, probe, user, ends=ends)


def _observe(
    room: Room, image: str, setting: Setting, probe: Probe, user: str, *, ends: bool
) -> tuple[Behaviour, Probe]:
    """Raises Refused for a fault of the engine, which may pass; what it says of the image is a behaviour."""
    try:
        with started(room.engine, room.mark, image, setting) as running:
            return _Trial(room, running, user, ends=ends).watched(probe)
    except Refused as refused:
        if refused.status >= _SERVER_ERROR and not _is_about_the_image(refused.said):
            raise
        return Behaviour(refusal=room.hidden.line(_to_the_point(refused.said)), user=user), probe


def passes(behaviour: Behaviour, probe: Probe) -> bool:
    """Whether an image does what it should, seen by itself alone."""
    if probe.kind == "http":
        return behaviour.running and behaviour.answer is not None and behaviour.answer.status < _SERVER_ERROR
    if probe.kind == "tcp":
        return behaviour.running and bool(behaviour.port_open)
    return not behaviour.refusal and (behaviour.running or behaviour.exit_code == 0)


def _to_the_point(said: str) -> str:
    while shorter := _RUNTIME.sub("", said):
        if shorter == said:
            break
        said = shorter
    return said.removesuffix(": unknown")


def _is_about_the_image(said: str) -> bool:
    """Engines answer with a server error for some programs that cannot be started."""
    words = ("exec", "no such file", "not found", "permission denied", "unable to find user", "oci runtime")
    return any(word in said.lower() for word in words)


class _Trial:
    def __init__(self, room: Room, running: Running, user: str, *, ends: bool) -> None:
        self._room = room
        self._running = running
        self._user = user
        self._began_at = time.monotonic()
        self._within = room.deadline.within(room.engine.limits.start_seconds)
        self._heard: Answer | None = None
        self._ends = ends

    def watched(self, probe: Probe) -> tuple[Behaviour, Probe]:
        if probe.kind == "auto":
            probe = self._settled(probe)
        behaviour = Behaviour()
        if probe.kind == "http":
            answer, is_open = (self._heard, True) if self._heard else self._answer(probe)
            behaviour = replace(behaviour, answer=answer, port_open=is_open)
        elif probe.kind == "tcp":
            behaviour = replace(behaviour, port_open=self._connects(probe.port))
        elif probe.kind == "command" or self._ends:
            self._wait_for_end(self._within)
        else:
            self._wait_for_end(self._within.within(self._room.engine.limits.stay_seconds))
        seconds = time.monotonic() - self._began_at
        if behaviour.answer or behaviour.port_open:
            self._wait_for_end(self._room.deadline.within(_AFTER_SECONDS))
        return replace(self._end(behaviour), seconds=round(seconds, 2)), probe

    def _end(self, behaviour: Behaviour) -> Behaviour:
        state = self._running.state()
        is_running = bool(state["Running"])
        output, hidden = self._running.output, self._room.hidden
        output.wait(0.2 if is_running else 2.0)
        return replace(
            behaviour,
            running=is_running,
            exit_code=None if is_running else int(state["ExitCode"]),
            out_of_memory=bool(state.get("OOMKilled")),
            stdout=hidden.lines(output.stdout),
            stderr=hidden.lines(output.stderr),
            user=self._user,
        )

    def _settled(self, probe: Probe) -> Probe:
        """What there is to ask. An image that names ports has until the limit to listen on one, else on any; another is
        left alone when it still listens on none after the time it has to run."""
        limits = self._room.engine.limits
        patience = self._within if probe.ports else self._within.within(limits.stay_seconds)
        ports: tuple[int, ...] = ()
        while not patience.is_over and self._running.is_running:
            self._beat()
            ports = probing.listening(self._relayed("0", "1")[1].decode("latin-1"))
            if found := [port for port in ports if port in probe.ports or not probe.ports]:
                return self._spoken(replace(probe, port=found[0]))
            self._pause()
        if not probe.ports or not self._running.is_running:
            return replace(probe, kind="run")
        # Others than it names; else it does not do what it says, and that is seen when it is asked.
        return self._spoken(replace(probe, port=ports[0])) if ports else replace(probe, kind="tcp", port=probe.ports[0])

    def _spoken(self, probe: Probe) -> Probe:
        """HTTP where that is spoken, else TCP."""
        self._heard, _ = self._answer(probe)
        return replace(probe, kind="http" if self._heard else "tcp")

    def _answer(self, probe: Probe) -> tuple[Answer | None, bool]:
        """The first answer that is no server's error, else the last one: many answer, or hang up, before they are
        ready."""
        answer, is_open, hung_up = None, False, 0
        while not self._within.is_over or not is_open:
            status, content = self._relayed(str(probe.port), self._tries(), probing.request(probe.path))
            is_open = status == 0
            answer = parse_answer(content, self._room.hidden) if is_open else None
            hung_up += is_open and not content
            if not self._running.is_running or self._within.is_over or hung_up >= _HANGS_UP:
                break
            if answer is not None and answer.status < _SERVER_ERROR:
                break
            if is_open and content and answer is None:
                break  # it speaks, and something else
            self._pause()
        return answer, is_open

    def _connects(self, port: int) -> bool:
        while not self._within.is_over and self._running.is_running:
            if self._relayed(str(port), self._tries())[0] == 0:
                return True
            self._pause()
        return False

    def _tries(self) -> str:
        return str(max(1, int(min(5.0, self._within.left) * _TRIES_PER_SECOND)))

    def _relayed(self, *words: str) -> tuple[int, bytes]:
        """Exit status and output of the probe's program, which a busy engine may fail to start at first."""
        for _ in range(_STARTS - 1):
            try:
                return self._relayed_once(*words)
            except Refused as refused:
                if refused.status < _SERVER_ERROR:
                    raise
            self._pause()
        return self._relayed_once(*words)

    def _relayed_once(self, *words: str) -> tuple[int, bytes]:
        room = self._room
        patience = room.deadline.within(min(self._within.left, 20.0) + 2.0)
        try:
            with beside(room.engine, room.mark, room.relay, words, self._running) as relay:
                heard, silence = 0, Deadline(_SILENCE_SECONDS)
                while (state := relay.state())["Running"] and not patience.is_over and self._running.is_running:
                    self._beat()
                    if len(relay.output.stdout) > heard:
                        heard, silence = len(relay.output.stdout), Deadline(_SILENCE_SECONDS)
                    if heard and silence.is_over:
                        break  # an answer whose end does not come
                    time.sleep(0.05)
                relay.output.wait(0.0 if state["Running"] else 2.0)
                said = relay.output.stdout
                return (0 if said else 1) if state["Running"] else int(state["ExitCode"]), said
        except Refused:
            # The network is gone with the container that it belonged to.
            if self._running.is_running:
                raise
            return 1, b""

    def _wait_for_end(self, patience: Deadline) -> None:
        while not patience.is_over and self._running.is_running:
            self._beat()
            self._pause()

    def _pause(self) -> None:
        time.sleep(_LOOK_SECONDS)

    def _beat(self) -> None:
        self._room.watch.beat()
        if self._room.deadline.is_over:
            raise TimeOver(f"The verification was not done within {self._room.deadline.seconds:.0f} seconds")
