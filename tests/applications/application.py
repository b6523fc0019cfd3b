"""What a real application of apps/ is, how one sees from outside that it works, and what must be offered for it.

``apps/NAME`` is a team's working copy: its Dockerfile as teams write it, and its sources. Beside it ``NAME.toml`` says:

    title   what it stands for
    bases   families of tests/applications/bases.py that its Dockerfile starts from
    port, paths     it serves HTTP there: status and body of each path are what it answers
    arguments, code it ends with this code; what it prints is its answer
    says    it stays up and says this (a regular expression) in its log
    bears   what the original stands of "no capabilities" and "read-only" (with /tmp in memory), and so must the others
    env     of the container
    rungs   what must be offered: "works", or a regular expression of the sentence that says why not
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

APPLICATIONS = Path(__file__).parent / "apps"
WORKS = "works"
BEARS = ("no capabilities", "read-only")


@dataclass(frozen=True, slots=True)
class Application:
    """``port`` is 0 where it serves nothing; then it ends with ``code``, unless ``says`` tells that it stays."""

    name: str
    title: str
    bases: tuple[str, ...]
    port: int
    paths: tuple[str, ...]
    arguments: tuple[str, ...]
    code: int
    says: str
    bears: frozenset[str]
    env: Mapping[str, str]
    rungs: Mapping[str, str]

    @property
    def context(self) -> Path:
        return APPLICATIONS / self.name

    @property
    def dockerfile(self) -> str:
        return (self.context / "Dockerfile").read_text()


def applications() -> tuple[Application, ...]:
    return tuple(load(path.stem) for path in sorted(APPLICATIONS.glob("*.toml")))


def load(name: str) -> Application:
    fields = tomllib.loads((APPLICATIONS / f"{name}.toml").read_text())
    application = Application(
        name=name,
        title=fields.pop("title"),
        bases=tuple(fields.pop("bases")),
        port=fields.pop("port", 0),
        paths=tuple(fields.pop("paths", ())),
        arguments=tuple(fields.pop("arguments", ())),
        code=fields.pop("code", 0),
        says=fields.pop("says", ""),
        bears=frozenset(fields.pop("bears", BEARS)),
        env=fields.pop("env", {}),
        rungs=fields.pop("rungs", {}),
    )
    assert not fields, f"{name}.toml says what nobody reads: {', '.join(fields)}"
    assert application.bears <= set(BEARS)
    return application
