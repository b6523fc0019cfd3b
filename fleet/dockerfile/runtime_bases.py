"""What a final stage may start from, runtime by runtime: a base that brings the runtime, or one that it is put on."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from fleet.analysis.command import find_program
from fleet.dockerfile.catalog import Release, candidates
from fleet.dockerfile.interpreter import is_musl
from fleet.dockerfile.request import Request
from fleet.dockerfile.suggestion import BaseImage, NothingToSuggest
from fleet.dockerfile.wording import listed
from fleet.image.libraries import library_closure
from fleet.oci.manifest import ImageConfig

TITLES = {
    "python": "Python", "node": "Node.js", "go": "Go", "java": "Java", "rust": "Rust", "ruby": "Ruby", "php": "PHP",
    "dotnet": ".NET", "nginx": "nginx", "c": "C++", "unknown": "the program",
}  # fmt: skip
COMPILED = frozenset({"go", "rust", "c", "unknown"})
_CXX = frozenset({"libstdc++.so.6", "libgcc_s.so.1", "libgomp.so.1"})
# Why nothing at all is no base for a runtime.
_NOT_ON_NOTHING = {
    "ruby": "Ruby loads libraries by name as it runs, which no check can list: distroless is as far as it goes.",
    "php": "PHP loads extensions by its settings as it runs, which no check can list: distroless is as far as it goes.",
    "java": "A Java virtual machine loads libraries of its own as it runs: distroless is as far as it goes.",
    "dotnet": ".NET loads ICU and OpenSSL by name as it runs: only what is compiled ahead of time starts from nothing.",
}


@dataclass(frozen=True, slots=True)
class Ground:
    """A base, and whether it brings the runtime that the image's own base brought."""

    base: BaseImage
    has_runtime: bool


def grounds(request: Request, config: ImageConfig) -> Iterator[Ground]:
    """The bases of a tier, best first, as many as can be told apart only by trying. Raises NothingToSuggest where
    there is none."""
    runtime, tier = request.analysis.runtime, request.tier
    if tier == "scratch" and runtime.name in _NOT_ON_NOTHING:
        raise NothingToSuggest(_NOT_ON_NOTHING[runtime.name])
    libcs = _libcs(request, config)
    if tier == "distroless" and "musl" in libcs:
        raise NothingToSuggest("The program is linked with musl, and distroless images have glibc.")
    if tier == "slim" and runtime.name not in COMPILED and request.base_layers:
        ground = _with_runtime(request, config, libcs[-1])
        if ground is not None:
            yield ground
    tried: list[str] = []
    found = False
    for libc in libcs:
        names = candidates(
            runtime="", version="", release=Release.of(request.tree), tier=tier, libc=libc,
            cxx=runtime.name not in ("go", "unknown") or _needs_cxx(request, config),
        )  # fmt: skip
        tried += names
        if (base := request.bases.find(names)) is not None:
            found = True
            yield Ground(base, False)
    if not found:
        unknown = f"No {tier} base is known for it: looked for {listed(tuple(dict.fromkeys(tried))) or 'none'}."
        raise NothingToSuggest(request.bases.refusal(tried) or unknown)


def _libcs(request: Request, config: ImageConfig) -> tuple[str, ...]:
    """The C libraries to try: of a static program first none, then that of the other files that may be there."""
    tree = request.tree
    usual = "musl" if is_musl(tree) else "glibc"
    words = (*(config.entrypoint or ()), *(config.cmd or ()))
    path = find_program(tree, config, words[0]) if words else None
    facts = tree.elf.get(path) if path else None
    if facts is None or request.analysis.runtime.name not in COMPILED:
        return (usual,)
    closure = library_closure(tree, [path] if path else [])
    is_static = not facts.needed and not facts.interpreter and not closure.found
    return ("none", usual) if is_static else (usual,)


def _needs_cxx(request: Request, config: ImageConfig) -> bool:
    words = (*(config.entrypoint or ()), *(config.cmd or ()))
    path = find_program(request.tree, config, words[0]) if words else None
    found = library_closure(request.tree, [path] if path else []).found
    return not _CXX.isdisjoint(map(posixpath.basename, found))


def _with_runtime(request: Request, config: ImageConfig, libc: str) -> Ground | None:
    """A base of the runtime's own line that has its program where the image has it, and whose files are known."""
    runtime = request.analysis.runtime
    words = (*(config.entrypoint or ()), *(config.cmd or ()))
    programs = (found for word in words if (found := _program(request, config, word)))
    path = next((path for path in programs if path.startswith(("usr/local/", "opt/", "usr/share/dotnet/"))), None)
    if path is None:
        return None
    names = candidates(
        runtime=_kind(request, words), version=runtime.version, release=Release.of(request.tree), tier="slim", libc=libc
    )
    base = request.bases.find(names)
    if base is None or base.tree is None or base.tree.resolve(path) != path:
        return None
    return Ground(base, True)


def _program(request: Request, config: ImageConfig, word: str) -> str | None:
    """The runtime's own program that a word leads to: itself, or what its first line names."""
    tree = request.tree
    path = find_program(tree, config, word)
    if path in tree.elf:
        return path
    shebang = tree.shebangs.get(path or "", "").removeprefix("#!").split()
    if not shebang:
        return None
    named = shebang[-1] if posixpath.basename(shebang[0]) == "env" else shebang[0]
    real = find_program(tree, config, named)
    return real if real in tree.elf else None


def _kind(request: Request, words: tuple[str, ...]) -> str:
    name = request.analysis.runtime.name
    if name == "php":
        first = posixpath.basename(words[0]) if words else ""
        return "php-fpm" if "fpm" in first else "php-apache" if "apache" in first else "php"
    return name
