"""The same Dockerfile for BuildKit: what is downloaded to build stays in a cache between builds, and what is secret
goes in as a secret instead of an argument, which everybody can read in the image's history.

Sources: https://docs.docker.com/reference/dockerfile/#run---mounttypecache and #run---mounttypesecret
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from fleet.dockerfile.gathering import ROOT
from fleet.dockerfile.parse import Instruction, InvalidDockerfile, Part, Stage, parse_dockerfile
from fleet.dockerfile.run_settings import ROOT_USERS, SECRET

_SYNTAX = "# syntax=docker/dockerfile:1\n"
_HAS_SYNTAX = re.compile(r"\s*#\s*syntax\s*=", re.IGNORECASE)


def _started(words: str) -> re.Pattern[str]:
    """A pattern for a program and its arguments anywhere in a script of a RUN."""
    return re.compile(rf"(?:^|[\s;&|(/]){words}")


# What runs, and where it keeps what it downloaded when root runs it. No directory that a build's result lies in.
_CACHES = (
    (_started(r"pip[\d.]*\s+(?:-\S+\s+)*(?:install|wheel|download)\b"), ("/root/.cache/pip",)),
    (_started(r"uv\s+(?:sync|pip|tool|run)\b"), ("/root/.cache/uv",)),
    (_started(r"poetry\s+(?:-\S+\s+)*install\b"), ("/root/.cache/pypoetry",)),
    (
        _started(r"pipenv\s+(?:-\S+\s+)*(?:install|sync)\b"),
        ("/root/.cache/pip", "/root/.cache/pipenv"),
    ),
    (_started(r"npm\s+(?:-\S+\s+)*(?:ci|i|install)\b"), ("/root/.npm",)),
    (
        _started(r"yarn(?:\s+(?:-\S+\s+)*install\b|\s+-|\s*(?:&|;|$))"),
        ("/usr/local/share/.cache/yarn",),
    ),
    (_started(r"pnpm\s+(?:-\S+\s+)*(?:i|install|fetch)\b"), ("/root/.local/share/pnpm/store",)),
    (
        _started(r"go\s+(?:build|install|mod\s+download|test)\b"),
        ("/root/.cache/go-build", "/go/pkg/mod"),
    ),
    (_started(r"cargo\s+(?:build|install|fetch)\b"), ("/usr/local/cargo/registry",)),
    (_started(r"mvnw?\s"), ("/root/.m2/repository",)),
    (_started(r"gradlew?\s"), ("/root/.gradle/caches",)),
    (_started(r"composer\s+(?:-\S+\s+)*install\b"), ("/root/.composer/cache",)),
    (_started(r"dotnet\s+(?:restore|build|publish)\b"), ("/root/.nuget/packages",)),
)
# Who says that nothing is to be kept means it; the virtual environment that we made does not.
_NO_CACHE = re.compile(r"--no-cache(?:-dir)?\b")
_OUR_VENV = re.compile(r"(?m)^(ENV VIRTUAL_ENV=\S+) PIP_NO_CACHE_DIR=1 ")
_ARGUMENT = re.compile(r"[A-Za-z_]\w*")
_RUN = re.compile(r"(?i)^(\s*)RUN(?=\s)")


def buildkit_profile(text: str) -> str:
    """The text with cache and secret mounts; empty where there is nothing to add."""
    try:
        dockerfile = parse_dockerfile(text)
    except InvalidDockerfile:
        return ""
    if dockerfile.escape != "\\":
        return ""
    stages = [_profiled(stage, _secrets(stage, text)) for stage in dockerfile.stages[:-1]]
    changed = "".join(
        part.text for part in (*dockerfile.head, *(p for s in stages for p in s), *dockerfile.stages[-1].parts)
    )
    if changed == text:
        return ""
    return changed if _HAS_SYNTAX.match(text) else _SYNTAX + changed


def secret_arguments(text: str) -> tuple[str, ...]:
    """Names of the build arguments that the profile takes as secrets."""
    try:
        dockerfile = parse_dockerfile(text)
    except InvalidDockerfile:
        return ()
    return tuple(dict.fromkeys(name for stage in dockerfile.stages[:-1] for name in _secrets(stage, text)))


def _secrets(stage: Stage, text: str) -> tuple[str, ...]:
    """Arguments without a default that are called like secrets and whose every use is in a RUN. None where the team
    asks for a syntax of its own, which may be too old for them."""
    if _HAS_SYNTAX.match(text):
        return ()
    named = [
        part.value
        for part in stage.parts
        if isinstance(part, Instruction) and part.name == "ARG" and _ARGUMENT.fullmatch(part.value)
    ]
    others = [
        part.value for part in stage.parts if isinstance(part, Instruction) and part.name not in ("RUN", "ARG", "FROM")
    ]
    return tuple(name for name in named if SECRET.search(name) and not any(_mentions(value, name) for value in others))


def _mentions(value: str, name: str) -> bool:
    return re.search(rf"\$\{{?{name}\b", value) is not None


def _profiled(stage: Stage, secrets: Sequence[str]) -> Iterator[Part]:
    is_root = True
    declared: list[str] = []
    for part in stage.parts:
        if not isinstance(part, Instruction):
            yield part
            continue
        if part.name == "USER":
            is_root = part.value in ROOT_USERS
        if part.name == "ARG" and part.value in secrets:
            declared.append(part.value)
            continue
        if part.name == "ENV" and part.text.startswith("ENV VIRTUAL_ENV="):
            yield Part(_OUR_VENV.sub(r"\1 ", part.text), part.line)
        elif part.name == "RUN" and (flags := [*_caches(part, is_root), *_secret_mounts(part, declared)]):
            yield Part(_RUN.sub(lambda found: f"{found[0]} {' '.join(flags)}", part.text, count=1), part.line)
        else:
            yield part


def _caches(run: Instruction, is_root: bool) -> Iterator[str]:
    """Mounts for what the RUN downloads, unless it says of itself how it caches."""
    if not is_root or run.heredocs or _NO_CACHE.search(run.value) or any("mount" in flag for flag in run.flags):
        return
    targets = dict.fromkeys(target for runs, places in _CACHES if runs.search(run.value) for target in places)
    yield from (f"--mount=type=cache,target={target},sharing=locked" for target in targets)


def _secret_mounts(run: Instruction, secrets: Sequence[str]) -> Iterator[str]:
    """Each of the stage's secrets for each RUN of the team's: a script may read one that no line names."""
    if ROOT not in run.value:
        yield from (f"--mount=type=secret,id={name},env={name}" for name in secrets)
