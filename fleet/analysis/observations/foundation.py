"""What an image is built on: whether its base still gets updates, whether it can be built again, what it runs on."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from fleet.analysis.command import find_program
from fleet.analysis.end_of_life import distribution_ends, runtime_ends
from fleet.analysis.findings import Observation
from fleet.analysis.observations.observation import View
from fleet.analysis.redaction import escape_controls
from fleet.image.filetree import FileTree

_OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
_BASE_NAME = "org.opencontainers.image.base.name"
_RUNTIMES = {
    "python": "Python",
    "node": "Node.js",
    "ruby": "Ruby",
    "php": "PHP",
    "dotnet": ".NET",
    "go": "Go",
    "java": "Java",
}
_PROGRAMS = {
    "python": ("python3", "python"), "node": ("node", "nodejs"), "java": ("java",), "ruby": ("ruby",), "php": ("php",),
    "dotnet": ("dotnet",), "nginx": ("nginx",),
}  # fmt: skip
# What an ELF file calls an architecture → what an image does.
_ARCHITECTURES: Mapping[str, str] = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "i386": "386",
    "arm": "arm",
    "s390x": "s390x",
    "riscv": "riscv64",
}
# An architecture, and the programs of another one that it runs all the same.
_ALSO_RUNS = frozenset({("amd64", "386"), ("arm64", "arm")})
_SYSTEMS = frozenset({"deb", "apk", "rpm"})
# Whose packages the distribution does not keep up.
_THIRD_PARTIES = ("nodesource", "sury", "deadsnakes", "ondrej")
_NEWER = "Build on a release that is supported, and build again whenever its base is."


def ends_of_life(view: View) -> Iterator[Observation]:
    """The days after which neither the distribution nor the runtime gets security updates, past ones and those to
    come: whoever shows them compares."""
    release = os_release(view.image.tree)
    name, version = release.get("ID", ""), release.get("VERSION_ID", "")
    if day := distribution_ends(name, version):
        called = release.get("PRETTY_NAME") or f"{name} {version}"
        yield Observation("end-of-life", "warning", "End of life of the base", called[:100], _NEWER, day)
    runtime = view.runtime
    day = runtime_ends(runtime.name, runtime.version)
    if day and not _is_kept_up(view):
        called = f"{_RUNTIMES.get(runtime.name, runtime.name)} {runtime.version}"
        yield Observation("runtime-end-of-life", "warning", "End of life of the runtime", called, _NEWER, day)


def several_runtimes(view: View) -> Iterator[Observation]:
    """Runtimes on the search path beside the one that the command runs, unless they only came along with others."""
    automatic = {path for each in view.survey.packages if each.automatic is not False for path in each.paths}
    others: dict[str, str] = {}
    for name, words in _PROGRAMS.items():
        found = (find_program(view.image.tree, view.image.config, word) for word in words)
        path = next((each for each in found if each in view.image.tree.elf), None)
        if name != view.runtime.name and path is not None and path not in automatic:
            others[_RUNTIMES.get(name, name)] = path
    if others:
        said = ", ".join(f"{name} (/{path[:80]})" for name, path in others.items())
        yield Observation(
            "several-runtimes",
            "info",
            "Several runtimes",
            f"Beside {_RUNTIMES.get(view.runtime.name, 'the program')} the image has {escape_controls(said)}.",
            "Where only the build needs it, build in a stage of its own. What the service calls keeps it at slim.",
        )


def _is_kept_up(view: View) -> bool:
    """Whether the runtime is the distribution's own, which mends it for as long as the distribution lives."""
    tree, in_use = view.image.tree, view.survey.in_use
    lines = (tree.shebangs[path] for path in in_use if path in tree.shebangs)
    words = {word for line in lines for word in line.removeprefix("#!").split()[:3]}
    programs = in_use.union(filter(None, (find_program(tree, view.image.config, word) for word in words)))
    named = {path for path in programs if path.rpartition("/")[2].startswith(view.runtime.name)}
    return any(
        not named.isdisjoint(package.paths)
        for package in view.survey.packages
        if package.ecosystem in _SYSTEMS and not any(name in package.version for name in _THIRD_PARTIES)
    )


def os_release(tree: FileTree) -> dict[str, str]:
    """The fields of os-release(5); none where the image has no such file."""
    text = next(filter(None, map(tree.text, _OS_RELEASE)), "")
    fields: dict[str, str] = {}
    for line in text.splitlines()[:100]:
        key, equals, value = line[:1000].partition("=")
        if equals and key.isidentifier():
            fields.setdefault(key, _unquoted(value))
    return fields


def _unquoted(value: str) -> str:
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return value.strip("\"'")


def latest_base(view: View) -> Iterator[Observation]:
    """A base by a name that moves, as the image's labels or its provenance tell. BuildKit attests ``latest`` where a
    Dockerfile leaves the tag out, and no tag where it names a digest alone."""
    provenance = view.image.provenance
    attested = [name for name, _ in provenance.base_digests if name.endswith(":latest")] if provenance else []
    for name in dict.fromkeys((view.image.config.labels.get(_BASE_NAME, ""), *attested)):
        last = name.rpartition("/")[2]
        if name and "@" not in last and last.partition(":")[2] in ("", "latest"):
            yield Observation(
                "latest-base",
                "info",
                "Built on a base that moves",
                f"{name[:200]} is another image after every release, whatever that breaks.",
                "Name the version of the base, and pin its digest where builds must repeat.",
            )


def foreign_program(view: View) -> Iterator[Observation]:
    """The program that the command starts is for another architecture than the image says; or it says none."""
    config = view.image.config
    if not config.platform.architecture:
        yield Observation(
            "no-architecture",
            "warning",
            "Says no architecture",
            "The image's config leaves its architecture out, so that engines may run it on any.",
            "Build it again with a builder that fills it in.",
        )
        return
    architecture = config.platform.architecture.lower()
    stated = _ARCHITECTURES.get(architecture, architecture)
    for path in sorted(view.survey.in_use & view.image.tree.elf.keys()):
        found = _ARCHITECTURES.get(view.image.tree.elf[path].machine, stated)
        if found != stated and (stated, found) not in _ALSO_RUNS:
            yield Observation(
                "foreign-program",
                "danger",
                "Its program is for another architecture",
                f"/{escape_controls(path)[:300]} is built for {found}, the image says {escape_controls(stated)[:50]}.",
                "Build for the platform that the image names: docker build --platform, GOARCH or --target to match.",
            )
