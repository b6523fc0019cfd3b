"""Images as a Dockerfile would order them: each instruction adds a layer to be, a line of history, or both.

The lines read as the two builders write them: BuildKit (``RUN /bin/sh -c … # buildkit``) and the classic one
(``/bin/sh -c #(nop) COPY dir:… in …``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Self

from fleet.oci.manifest import Healthcheck, HistoryEntry, ImageConfig, Platform
from fleet.sample import debian
from fleet.sample.build import Dialect
from fleet.sample.tar import File, directory, with_parents

Builder = Literal["buildkit", "classic"]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, repr=False)
class Recipe:
    """A layer to be: ``make(*arguments)`` gives its files, which are dated ``moment``."""

    make: Callable[..., Iterable[File]]
    arguments: tuple[object, ...]
    moment: datetime

    def __repr__(self) -> str:
        return f"{self.make.__module__}.{self.make.__qualname__}{self.arguments!r}@{self.moment.isoformat()}"

    @property
    def key(self) -> str:
        """The same for the same layer, in every process."""
        return hashlib.sha256(repr(self).encode()).hexdigest()

    def files(self) -> Iterator[File]:
        return with_parents(self.make(*self.arguments), int(self.moment.timestamp()))


@dataclass(frozen=True, slots=True)
class Plan:
    """An image to be. Every method gives the plan with one more instruction, dated ``moment``.

    ``debs`` are the Debian packages that are there so far. ``attested`` publishes it as BuildKit does with
    provenance: an index of the image and its attestation.
    """

    config: ImageConfig
    moment: datetime
    recipes: tuple[Recipe, ...] = ()
    debs: tuple[str, ...] = ()
    slim: bool = False
    builder: Builder = "buildkit"
    attested: bool = False

    @classmethod
    def scratch(cls, moment: datetime, builder: Builder = "buildkit") -> Self:
        return cls(ImageConfig(Platform("linux", "amd64"), env=(f"PATH={PATH}",)), moment, builder=builder)

    @property
    def dialect(self) -> Dialect:
        return "docker" if self.builder == "classic" else "oci"

    def at(self, moment: datetime, builder: Builder | None = None) -> Plan:
        """The same plan; what follows is dated ``moment`` and written by ``builder``."""
        config = replace(self.config, created=moment)
        return replace(self, moment=moment, builder=builder or self.builder, config=config)

    def run(self, command: str, make: Callable[..., Iterable[File]], *arguments: object) -> Plan:
        return self._layer(f"RUN /bin/sh -c {command}", f"/bin/sh -c {command}", make, *arguments)

    def copy(self, source: str, target: str, make: Callable[..., Iterable[File]], *arguments: object) -> Plan:
        recipe = Recipe(make, arguments, self.moment)
        kind = "dir" if source == "." or source.endswith("/") else "file"
        classic = f"#(nop) COPY {kind}:{recipe.key} in {target} "
        return self._layer(f"COPY {source} {target}", f"/bin/sh -c {classic}", make, *arguments)

    def written(self, created_by: str, comment: str, make: Callable[..., Iterable[File]], *arguments: object) -> Plan:
        """A layer whose line of history is given as it stands."""
        return self._step(created_by, comment, Recipe(make, arguments, self.moment))

    def apt(self, names: str, *, keep_lists: bool = False, flags: str = " --no-install-recommends") -> Plan:
        """``apt-get install``: the packages with all they depend on, and apt's lists where they are kept."""
        wanted = names.split()
        new = debian.with_dependencies(wanted, self.debs)
        tidy = "" if keep_lists else " && rm -rf /var/lib/apt/lists/*"
        command = f"apt-get update && apt-get install -y{flags} {names}{tidy}"
        plan = self.run(command, apt_files, new, self.debs, self.slim, keep_lists)
        return replace(plan, debs=tuple(sorted({*self.debs, *new})))

    def env(self, **variables: str) -> Plan:
        plan = self
        for name, value in variables.items():
            kept = tuple(item for item in plan.config.env if not item.startswith(f"{name}="))
            plan = plan._setting("ENV", f"{name}={value}", env=(*kept, f"{name}={value}"))
        return plan

    def workdir(self, path: str) -> Plan:
        plan = replace(self, config=replace(self.config, working_dir=path))
        line = f"WORKDIR {path}"
        return plan._layer(line, f"/bin/sh -c #(nop) {line}", _one_directory, path.lstrip("/"))

    def user(self, name: str) -> Plan:
        return self._setting("USER", name, user=name)

    def expose(self, port: int) -> Plan:
        text = f"map[{port}/tcp:{{}}]" if self.builder == "buildkit" else str(port)
        return self._setting("EXPOSE", text, exposed_ports=(f"{port}/tcp",))

    def label(self, **labels: str) -> Plan:
        named = {f"org.opencontainers.image.{name}": value for name, value in labels.items()}
        text = " ".join(f"{name}={value}" for name, value in named.items())
        return self._setting("LABEL", text, labels={**self.config.labels, **named})

    def entrypoint(self, *words: str) -> Plan:
        # Docker drops the CMD of the base when an ENTRYPOINT is set.
        return self._setting("ENTRYPOINT", _exec_form(words), entrypoint=words, cmd=None)

    def cmd(self, *words: str) -> Plan:
        return self._setting("CMD", _exec_form(words), cmd=words)

    def healthcheck(self, *test: str, every_seconds: int = 30) -> Plan:
        check = Healthcheck(test, every_seconds * SECOND_NS, 5 * SECOND_NS)
        spoken = " ".join(f'"{word}"' for word in test)
        text = f'&{{[{spoken}] "{every_seconds}s" "5s" "0s" "0s" \'\\x00\'}}'
        return self._setting("HEALTHCHECK", text, healthcheck=check)

    def _setting(self, word: str, text: str, **changes: object) -> Plan:
        plan = replace(self, config=replace(self.config, **changes))  # type: ignore[arg-type]
        if self.builder == "classic":
            return plan._step(f"/bin/sh -c #(nop)  {word} {text}", "", None)
        return plan._step(f"{word} {text}", "buildkit.dockerfile.v0", None)

    def _layer(self, line: str, classic: str, make: Callable[..., Iterable[File]], *arguments: object) -> Plan:
        recipe = Recipe(make, arguments, self.moment)
        if self.builder == "classic":
            return self._step(classic, "", recipe)
        return self._step(f"{line} # buildkit", "buildkit.dockerfile.v0", recipe)

    def _step(self, created_by: str, comment: str, recipe: Recipe | None) -> Plan:
        entry = HistoryEntry(created_by, recipe is None, self.moment, comment)
        config = replace(self.config, history=(*self.config.history, entry), created=self.moment)
        return replace(self, config=config, recipes=(*self.recipes, recipe) if recipe else self.recipes)


def chowned(recipe: Recipe, uid: int) -> Iterator[File]:
    """What ``chown -R`` stores: every file of an earlier layer once more."""
    return (file._replace(uid=uid, gid=uid) for file in recipe.files())


def _exec_form(words: Sequence[str]) -> str:
    return "[" + " ".join(f'"{word}"' for word in words) + "]"


def _one_directory(path: str) -> Iterator[File]:
    yield directory(path)


def apt_files(new: Sequence[str], present: Sequence[str], slim: bool, keep_lists: bool) -> Iterator[File]:
    yield from debian.installed(new, present, slim)
    if keep_lists:
        yield from debian.apt_lists()
