"""What keeps a Dockerfile's image from running, told from its text alone: faults that multi-stage files have when the
final stage is made smaller than its program.

A fault is named only where the text proves it. Files that could come with a directory, a variable or a base that
nobody can see into are given the benefit of the doubt.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from fleet.dockerfile.build_stage import expand
from fleet.dockerfile.parse import Dockerfile, Instruction, Stage
from fleet.dockerfile.wording import listed

Kind = Literal["no shell", "no interpreter", "dependencies not copied"]

EMPTY = "scratch"
# Published images that hold neither a shell nor, some of them, an interpreter; tags for debugging do.
_DISTROLESS = r"gcr\.io/distroless/{}(?:-debian\d+)?(?::(?!.*debug)[^@]*)?(?:@.*)?"
_CHAINGUARD = r"cgr\.dev/chainguard/(?:static|glibc-dynamic|python|jre)(?::(?!.*dev)[^@]*)?(?:@.*)?"
_WITHOUT_SHELL = re.compile(f"{_DISTROLESS.format('[a-z0-9-]+?')}|{_CHAINGUARD}").fullmatch
_WITHOUT_INTERPRETER = re.compile(_DISTROLESS.format("(?:static|base|base-nossl|cc)")).fullmatch
# Published images that hold nobody's packages: other bases may bring those that an application needs.
_PLAIN = re.compile(
    r"scratch|(?:docker\.io/)?(?:library/)?(?:python|pypy|ruby|debian|ubuntu|alpine|busybox)(?:[:@].*)?"
    r"|gcr\.io/distroless/.*|cgr\.dev/chainguard/.*"
).fullmatch
_INTERPRETERS = re.compile(r"(?:python|pypy|node|nodejs|ruby|perl|php|java|bash|sh|ash|dash|dotnet)[\d.]*$")
_COMMAND_CHARACTERS = 4096
_SHELL_FORMS = ("CMD", "ENTRYPOINT", "HEALTHCHECK")
_SHELLS = ("sh", "bash", "ash", "dash", "busybox")
_BIN = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_ARCHIVE = re.compile(r"\.(?:tar|tgz|tbz2?|txz|tar\.\w+)$")


class _Installer(NamedTuple):
    """``installs`` shows that what an application needs is put into ``places`` of the stage's own system, unless
    something ``elsewhere`` matches sends it to other ones; ``runs`` are the programs that load it from there."""

    name: str
    installs: re.Pattern[str]
    elsewhere: re.Pattern[str]
    places: tuple[str, ...]
    runs: re.Pattern[str]


_INSTALLERS = (
    _Installer(
        "pip",
        # Tools of the build are installed by name, what the application needs from a file or a directory.
        re.compile(
            r"(?:^|[;&|(\s])(?:\S{0,200}/)?(?:pip[\d.]{0,9}|python[\d.]{0,9}\s{1,9}-m\s{1,9}pip)\s{1,9}"
            r"(?:-\S{1,99}\s{1,9}){0,9}install\b(?=[^;&|]{0,400}\s(?:-r|--requirement\b|-e\b|\.(?:\s|\[|$)))"
        ),
        re.compile(
            r"--(?:target|prefix|root|user)\b|\s-t\s|venv|virtualenv|\buv\b|\bconda\b|PYTHONUSERBASE|PIP_TARGET"
        ),
        ("/usr/local/lib", "/usr/lib/python3", "/usr/local/bin"),
        re.compile(r"(?:python|pypy)[\d.]*$|gunicorn$|uvicorn$|celery$|flask$|django-admin$|hypercorn$|daphne$"),
    ),
    _Installer(
        "bundler",
        re.compile(r"(?:^|[;&|(\s])bundle\s{1,9}(?:-\S{1,99}\s{1,9}){0,9}install\b"),
        re.compile(r"--(?:path|deployment|standalone)\b|BUNDLE_PATH|GEM_HOME|bundle config"),
        ("/usr/local/bundle", "/usr/local/lib/ruby", "/var/lib/gems"),
        re.compile(r"(?:ruby|bundle|rails|puma|rackup|unicorn|sidekiq)[\d.]*$"),
    ),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """``line`` counts from 1. ``sentence`` begins with it, and says what to do."""

    kind: Kind
    line: int
    sentence: str


def find_faults(dockerfile: Dockerfile) -> tuple[Fault, ...]:
    """Faults of the image that the last stage makes, in the order of their lines; empty where none can be proven."""
    final = _Final(dockerfile)
    found = (*_no_shell(final), *_no_interpreter(final), *_not_copied(final))
    return tuple(sorted(found, key=lambda fault: fault.line))


class _Final:
    """The last stage with the stages of the same file that it builds upon, as one."""

    def __init__(self, dockerfile: Dockerfile) -> None:
        self.stages = {stage.name: stage for stage in dockerfile.stages if stage.name}
        self.stages |= {str(number): stage for number, stage in enumerate(dockerfile.stages)}
        names = {stage.name: stage for stage in dockerfile.stages[:-1] if stage.name}
        chain = [dockerfile.stages[-1]]
        # Each is taken once: a name may come again, of a stage that builds upon itself.
        while (below := names.pop(chain[-1].base.lower(), None)) is not None:
            chain.append(below)
        self.base = expand(chain[-1].base, dockerfile)
        self.instructions = tuple(one for stage in reversed(chain) for one in stage.instructions)
        self.copies = tuple(_copies(self.instructions))
        last = {one.name: one for one in self.instructions if one.name in _SHELL_FORMS}
        # To an ENTRYPOINT the words of CMD are arguments, whatever they are.
        self.command = last.get("ENTRYPOINT", last.get("CMD"))
        self.starts = tuple(one for one in (self.command, last.get("HEALTHCHECK")) if one)

    def lack(self, without: Callable[[str], object]) -> str | None:
        """Why the base brings nothing of a kind, as half a sentence; None where it may. ``without`` knows the names of
        images that bring none."""
        if self.base == EMPTY:
            return "scratch is empty"
        return f"{self.base} has none" if without(self.base) else None

    def may_hold(self, *paths: str) -> bool:
        """Whether anything that is copied, or made by a command, could bring one of the paths."""
        if any(one.name == "RUN" for one in self.instructions) and self.base != EMPTY:
            return True
        return any(copy.may_bring(path) for copy in self.copies for path in paths)


@dataclass(frozen=True, slots=True)
class _Copy:
    """``stage`` is what --from says, empty for the context. ``target`` is absolute, None where nobody can tell it."""

    stage: str
    sources: tuple[str, ...]
    target: str | None

    def may_bring(self, path: str) -> bool:
        if self.target is None or any(_ARCHIVE.search(source) for source in self.sources):
            return True
        return _is_within(path, self.target)


def _copies(instructions: Sequence[Instruction]) -> Iterator[_Copy]:
    directory = "/"
    for one in instructions:
        if one.name == "WORKDIR":
            directory = posixpath.join(directory, one.value.strip("\"'"))
        elif one.name in ("COPY", "ADD"):
            *sources, last = one.array or one.value.split()
            target = posixpath.join(directory, last)
            is_clear = "$" not in target and not one.heredocs
            known = posixpath.normpath(target) if is_clear else None
            yield _Copy((one.flag("from") or "").lower(), tuple(sources), known)


def _is_within(path: str, directory: str) -> bool:
    return directory == "/" or path == directory or path.startswith(f"{directory}/")


def _no_shell(final: _Final) -> Iterator[Fault]:
    where = final.lack(_WITHOUT_SHELL)
    if where is None:
        return
    if final.may_hold(*(f"{directory}/{shell}" for directory in _BIN for shell in _SHELLS)):
        return
    if any(one.name == "SHELL" for one in final.instructions):
        return
    for one in final.instructions:
        if one.name == "RUN" and one.array is None:
            yield Fault(
                "no shell",
                one.line,
                f"Line {one.line}: RUN needs a shell, and {where}. Do it in an earlier stage and copy what it makes.",
            )
    for one in final.starts:
        if _is_shell_form(one):
            yield Fault(
                "no shell",
                one.line,
                f"Line {one.line}: {one.name} is in shell form, which /bin/sh runs, and {where}. Write it as an array: "
                f'{one.name} ["program", "argument"].',
            )


def _is_shell_form(one: Instruction) -> bool:
    if one.name != "HEALTHCHECK":
        return one.array is None
    word, _, rest = one.value.partition(" ")
    return word.upper() == "CMD" and not rest.lstrip().startswith("[")


def _no_interpreter(final: _Final) -> Iterator[Fault]:
    command = final.command
    program = _program(command) if command else ""
    name = posixpath.basename(program)
    if command is None or not _INTERPRETERS.match(name):
        return
    where = final.lack(_WITHOUT_INTERPRETER)
    if where is None:
        return
    places = (program,) if program.startswith("/") else tuple(f"{directory}/{name}" for directory in _BIN)
    if final.may_hold(*places) or _sets_path(final):
        return
    yield Fault(
        "no interpreter",
        command.line,
        f"Line {command.line}: {command.name} starts {name}, {where} and nothing that is copied brings an interpreter. "
        f"Start the stage from a base that has {name}.",
    )


def _sets_path(final: _Final) -> bool:
    return any(one.name == "ENV" and re.search(r"\bPATH\b", one.value) for one in final.instructions)


def _program(one: Instruction) -> str:
    """The first word that is started, past ``exec`` and variables of its own."""
    words: Sequence[str] = one.array or ()
    if not words:
        try:
            words = shlex.split(one.value[:_COMMAND_CHARACTERS])
        except ValueError:
            return ""
    return next((word for word in words if word != "exec" and not re.match(r"\w+=", word)), "")


def _not_copied(final: _Final) -> Iterator[Fault]:
    command = final.command
    if command is None or not _PLAIN(final.base) or any(copy.target is None for copy in final.copies):
        return
    name = posixpath.basename(_program(command))
    for stage_name in dict.fromkeys(copy.stage for copy in final.copies if copy.stage):
        stage = final.stages.get(stage_name)
        if stage is not None:
            yield from _left_behind(final, stage, stage_name, name)


def _left_behind(final: _Final, stage: Stage, stage_name: str, program: str) -> Iterator[Fault]:
    copied = [source for copy in final.copies if copy.stage == stage_name for source in copy.sources]
    for installer in _INSTALLERS:
        commands = [one for one in stage.instructions if one.name == "RUN" and installer.installs.search(one.value)]
        if not commands or not installer.runs.match(program):
            continue
        if any(installer.elsewhere.search(f"{one.name} {one.value}") for one in stage.instructions):
            continue
        if any(one.name == "RUN" for one in final.instructions) or _may_take(copied, installer.places):
            continue
        line = commands[0].line
        yield Fault(
            "dependencies not copied",
            line,
            f"Line {line}: what {installer.name} installs stays in the stage {stage_name}: the dependencies are not "
            f"copied to the final stage, which takes {listed(copied)} alone. Install into a directory of their own and "
            "copy that too.",
        )


def _may_take(copied: Sequence[str], places: Sequence[str]) -> bool:
    """Whether any of the copied sources could hold one of the places, or a part of it."""
    for source in copied:
        path = posixpath.normpath(f"/{source.lstrip('/')}")
        if re.search(r"[$*?\[]", source) or any(_is_within(place, path) or _is_within(path, place) for place in places):
            return True
    return False
