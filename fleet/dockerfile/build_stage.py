"""A team's Dockerfile with its last stage turned into a build stage; all other lines as they stand.

What only says how a container runs leaves that stage, since the final stage says it. Where packages are installed into
the system's Python, a virtual environment is made before the first of them, so that one directory holds them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fleet.dockerfile.page import remove, run
from fleet.dockerfile.parse import Dockerfile, Instruction, Part, Stage
from fleet.dockerfile.quoting import shell_word

VENV = "/opt/venv"
_RUN_ONLY = frozenset({"CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "VOLUME", "STOPSIGNAL", "LABEL"})
_INSTALL = re.compile(
    r"(?:^|[;&|(\s])(?:\S{0,200}/)?(?:pip[\d.]*|python[\d.]*\s+-m\s+pip|poetry|pipenv)\s(?:-\S+\s)*(?:install|sync)\b"
)
_SYSTEM_WIDE = re.compile(
    r"/usr/local/(?:bin|lib/python|share)|--(?:user|target|prefix|root|system|python)\b|\buv\s|\bconda\b|\bmamba\b"
    r"|\bsudo\b|\bvirtualenv\b|\bvenv\b|\bsetup\.py\b|\bpipx\b|\bpdm\b|\bhatch\b"
)
_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class BuildStage:
    """``text`` is everything before the final stage, ``name`` what COPY --from calls the last of it."""

    text: str
    name: str


def last_base(dockerfile: Dockerfile) -> str:
    """What the last stage starts from once stages of the same file and global ARGs are followed."""
    stages = {stage.name: stage for stage in dockerfile.stages if stage.name}
    base, seen = expand(dockerfile.stages[-1].base, dockerfile), set[str]()
    while base.lower() in stages and base not in seen:
        seen.add(base)
        base = expand(stages[base.lower()].base, dockerfile)
    return base


def can_use_venv(dockerfile: Dockerfile) -> bool:
    """Whether the last stage installs packages in ways that a virtual environment on PATH redirects, and only so."""
    values = [one.value for one in dockerfile.stages[-1].instructions if one.name != "FROM"]
    if any(_SYSTEM_WIDE.search(value) for value in values):
        return False
    if any(one.heredocs for one in dockerfile.stages[-1].instructions):
        return False
    sets_path = (v for one in dockerfile.stages[-1].instructions if one.name == "ENV" for v in [one.value])
    if any(re.search(r"\bPATH[= ]", value) and "$PATH" not in value and "${PATH" not in value for value in sets_path):
        return False
    return any(_installs(one) for one in dockerfile.stages[-1].instructions)


def build_stage(
    dockerfile: Dockerfile, *, pin: Callable[[str], str | None], with_venv: bool, waste: Sequence[str] = ()
) -> BuildStage:
    """The text up to the final stage. ``pin`` names a base by digest, where that can be told; ``waste`` are shell words
    of paths to delete once everything is built."""
    names = {stage.name for stage in dockerfile.stages}
    last = dockerfile.stages[-1]
    name = last.name or next(n for n in ("build", "builder", "build-stage") if n not in names)
    parts = list(dockerfile.head)
    for stage in dockerfile.stages:
        own = stage if stage is not last else _reduced(stage, with_venv=with_venv)
        parts += [_from(stage, dockerfile, name if stage is last else "", pin), *own.parts[1:]]
    text = "".join(part.text for part in parts).rstrip() + "\n"
    return BuildStage(text + _ending(last, with_venv=with_venv, waste=waste), name)


def dynamic_settings(dockerfile: Dockerfile) -> tuple[tuple[Instruction, ...], frozenset[str]]:
    """ARG, ENV and LABEL lines of the last stage whose values depend on build arguments, and the names that they set:
    their values change with each build, so they are repeated as written."""
    instructions = dockerfile.stages[-1].instructions
    declared = {re.split(r"[=\s]", one.value, maxsplit=1)[0] for one in instructions if one.name == "ARG"}
    kept: list[Instruction] = []
    used: set[str] = set()
    for one in instructions:
        if one.name in ("ENV", "LABEL") and (names := declared.intersection(_VARIABLE.findall(one.value))):
            kept.append(one)
            used |= names
    arguments = [
        one for one in instructions if one.name == "ARG" and re.split(r"[=\s]", one.value, maxsplit=1)[0] in used
    ]
    names = {name.strip("\"'") for one in kept for name in re.findall(r"(?:^|\s)([^\s=]+)=", one.value)}
    return (*arguments, *kept), frozenset(names)


def _reduced(stage: Stage, *, with_venv: bool) -> Stage:
    """The stage without what only says how to run, with the virtual environment before the first install."""
    parts: list[Part] = []
    made = not with_venv
    user = ""
    users = _kept_users(stage)
    for part in stage.parts:
        if isinstance(part, Instruction):
            if part.name in _RUN_ONLY or (part.name == "USER" and part not in users):
                while parts and parts[-1].text.lstrip().startswith("#"):
                    parts.pop()
                continue
            user = part.value if part.name == "USER" else user
            if not made and _installs(part):
                comments = _trailing_comments(parts)
                parts += [Part(_make_venv(user), part.line), *comments]
                made = True
        parts.append(part)
    return replace(stage, parts=tuple(parts))


def _trailing_comments(parts: list[Part]) -> list[Part]:
    """Takes the comments off the end of the list: they belong to what comes next."""
    taken: list[Part] = []
    while parts and parts[-1].text.lstrip().startswith("#") and not isinstance(parts[-1], Instruction):
        taken.insert(0, parts.pop())
    return taken


def _make_venv(user: str) -> str:
    lines = [
        "# Packages go into one directory that the final stage can take as a whole.",
        *(["USER root"] if user else []),
        f"RUN python -m venv {VENV}" + (f" && chown -R {shell_word(user)} {VENV}" if user else ""),
        f'ENV VIRTUAL_ENV={VENV} PIP_NO_CACHE_DIR=1 PATH="{VENV}/bin:$PATH"',
        *([f"USER {user}"] if user else []),
    ]
    return "\n".join(lines) + "\n"


def _ending(stage: Stage, *, with_venv: bool, waste: Sequence[str]) -> str:
    commands = [f"{VENV}/bin/python -m pip uninstall -y pip"] if with_venv else []
    commands += [remove(waste)] if waste else []
    if not commands:
        return ""
    user = next((one.value for one in reversed(_kept_users(stage))), "")
    lines = ["", "# Nothing installs packages from here on."]
    lines += ["USER root", run(commands), f"USER {user}"] if user else [run(commands)]
    return "\n".join(lines) + "\n"


def _kept_users(stage: Stage) -> list[Instruction]:
    """The USER lines that a RUN follows: the others only say how to run."""
    last_run = max((index for index, part in enumerate(stage.parts) if _is(part, "RUN")), default=-1)
    return [part for part in stage.parts[:last_run] if isinstance(part, Instruction) and part.name == "USER"]


def _is(part: Part, name: str) -> bool:
    return isinstance(part, Instruction) and part.name == name


def _from(stage: Stage, dockerfile: Dockerfile, name: str, pin: Callable[[str], str | None]) -> Part:
    head = stage.parts[0]
    is_own = any(stage.base.lower() == other.name for other in dockerfile.stages)
    pinned = None if is_own or "$" in stage.base or stage.base == "scratch" else pin(stage.base)
    label = stage.name or name
    if pinned is None and (stage.name or not name):
        return head
    platform = f"--platform={stage.platform} " if stage.platform else ""
    return replace(head, text=f"FROM {platform}{pinned or stage.base}" + (f" AS {label}" if label else "") + "\n")


def _installs(part: Part) -> bool:
    return isinstance(part, Instruction) and part.name == "RUN" and _INSTALL.search(part.value) is not None


def expand(word: str, dockerfile: Dockerfile) -> str:
    """A word of FROM with the values of global ARGs; what has none stays as it is."""
    values = dockerfile.arguments
    with_default = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda m: values.get(m[1]) or m[2], word)
    return re.sub(r"\$\{?(\w+)\}?", lambda m: values.get(m[1], m[0]), with_default)
