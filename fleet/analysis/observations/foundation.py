"""What an image is built on: whether its base still gets updates, whether it can be built again, what it runs on."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from fleet.analysis.command import find_program
from fleet.analysis.end_of_life import distribution_ends, runtime_ends
from fleet.analysis.findings import Observation
from fleet.analysis.observations.observation import View
from fleet.image.filetree import FileTree
from fleet.oci.platform import Platform

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
# What an ELF file calls an architecture → what an image does.
_ARCHITECTURES: Mapping[str, str] = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "i386": "386",
    "arm": "arm",
    "s390x": "s390x",
    "riscv": "riscv64",
}
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
    if day := runtime_ends(runtime.name, runtime.version):
        called = f"{_RUNTIMES.get(runtime.name, runtime.name)} {runtime.version}"
        yield Observation(
            "runtime-end-of-life",
            "warning",
            "End of life of the runtime",
            called,
            _NEWER,
            day,
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
    """A base by a name that moves, as the image's labels or its provenance tell."""
    provenance = view.image.provenance
    attested = [name for name, _ in provenance.base_digests] if provenance else []
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
    stated = Platform.parse(f"{config.platform.os or 'linux'}/{config.platform.architecture}").architecture
    for word in (config.entrypoint or config.cmd or ())[:1]:
        path = find_program(view.image.tree, config, word)
        facts = view.image.tree.elf.get(path) if path else None
        found = _ARCHITECTURES.get(facts.machine) if facts else None
        if found and found != stated:
            yield Observation(
                "foreign-program",
                "danger",
                "Its program is for another architecture",
                f"/{path} is built for {found}, the image says {stated}.",
                "Build for the platform that the image names: docker build --platform, GOARCH or --target to match.",
            )
