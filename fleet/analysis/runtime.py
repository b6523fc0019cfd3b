"""What an image runs, told by the command that it starts and not by what happens to be installed: Debian's images
hold a system Perl or Python that nobody starts."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from fleet.analysis.command import SHELLS, command_words, find_program
from fleet.analysis.findings import Runtime
from fleet.image.entries import ElfFacts
from fleet.image.loading import LoadedImage
from fleet.image.packages.package import Package

_WRAPPERS = SHELLS | {
    "env", "exec", "tini", "tini-static", "dumb-init", "catatonit", "docker-init", "nice", "nohup", "time", "setpriv",
}  # fmt: skip
_WRAPPERS_WITH_ARGUMENT = frozenset({"gosu", "su-exec", "timeout", "chroot"})

_PROGRAMS = {
    "python": re.compile(r"(?:python|pypy)(?:\d+(?:\.\d+)?)?"),
    "node": re.compile(r"node(?:js)?|npm|npx|yarn|pnpm"),
    "java": re.compile(r"java"),
    "ruby": re.compile(r"ruby(?:\d+\.\d+)?"),
    "php": re.compile(r"php(?:-fpm|-cgi)?(?:\d+\.\d+)?"),
    "dotnet": re.compile(r"dotnet"),
    "nginx": re.compile(r"nginx(?:-debug)?|openresty"),
}
_LIBRARIES = {
    "python": "libpython",
    "node": "libnode.",
    "java": "libjli.",
    "ruby": "libruby",
    "php": "libphp",
    "dotnet": "libhostfxr.",
}
_VARIABLES = {
    "python": "PYTHON_VERSION",
    "node": "NODE_VERSION",
    "java": "JAVA_VERSION",
    "ruby": "RUBY_VERSION",
    "php": "PHP_VERSION",
    "dotnet": "DOTNET_VERSION",
    "nginx": "NGINX_VERSION",
    "rust": "RUST_VERSION",
    "go": "GOLANG_VERSION",
}
_MARKERS = {
    "python": ("manage.py", "pyproject.toml", "requirements.txt"),
    "node": ("package.json",),
    "ruby": ("Gemfile",),
    "php": ("composer.json", "index.php"),
    "java": ("BOOT-INF", "pom.xml"),
}
_VERSION_IN_PATH = re.compile(r"(?:python|ruby|php|php-fpm|java-|jdk-?)(\d[\d.]{0,20})")
_VERSION = re.compile(r"(?:jdk-|v|\d{1,3}:)?(\d+(?:[.+_]\d+){0,5})")
_EVIDENCE_CHARACTERS = 200


def detect_runtime(image: LoadedImage, packages: Sequence[Package] = ()) -> Runtime:
    """The runtime that the image's command needs. The version is exact where the environment or one of the packages
    says so, else the minor that the path shows, else empty."""
    words = command_words(image.config)
    for word in _programs(words):
        path = find_program(image.tree, image.config, word)
        name, interpreter = _classify(image, word, path)
        if name:
            return _runtime(image, packages, name, interpreter, f"the command runs {word}")
        if path is not None and path in image.tree.elf:
            return _native(image, word, image.tree.elf[path])
    return _from_surroundings(image, packages)


def _programs(words: Sequence[str]) -> list[str]:
    """The words that may name a program: no options, no assignments, no wrappers with their own arguments."""
    programs: list[str] = []
    skip = False
    for word in words:
        name = posixpath.basename(word)
        if skip or word.startswith("-") or "=" in word or name in _WRAPPERS:
            skip = False
        elif name in _WRAPPERS_WITH_ARGUMENT:
            skip = True
        else:
            programs.append(word)
    return programs


def _classify(image: LoadedImage, word: str, path: str | None) -> tuple[str, str]:
    """(runtime, the interpreter's real path or name), or two empty strings where the file does not tell."""
    if path is None:
        return _by_name(word), word
    shebang = image.tree.shebangs.get(path)
    interpreter = _interpreter(shebang) if shebang else ""
    if interpreter:
        real = find_program(image.tree, image.config, interpreter) or interpreter
        return _by_name(real) or _by_name(interpreter), real
    return _by_name(path) or _by_name(word) or _by_elf(image, path), path


def _by_name(path: str) -> str:
    name = posixpath.basename(path)
    return next((runtime for runtime, pattern in _PROGRAMS.items() if pattern.fullmatch(name)), "")


def _interpreter(shebang: str) -> str:
    """``#!/usr/bin/env -S python3 -u`` gives ``python3``."""
    words = shebang.removeprefix("#!").split()
    if words and posixpath.basename(words[0]) == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return words[0] if words else ""


def _by_elf(image: LoadedImage, path: str) -> str:
    facts = image.tree.elf.get(path)
    if facts is None:
        return ""
    if facts.go_build_info:
        return "go"
    # .NET publishes a small native launcher beside the assembly.
    if f"{path}.runtimeconfig.json" in image.tree.nodes or f"{path}.dll" in image.tree.nodes:
        return "dotnet"
    return next(
        (name for name, library in _LIBRARIES.items() if any(needed.startswith(library) for needed in facts.needed)), ""
    )


def _native(image: LoadedImage, word: str, facts: ElfFacts) -> Runtime:
    """A compiled program that names no runtime: Rust and C look alike once built, so only clear signs count."""
    evidence = _evidence(f"the command runs {word}, a {'static' if facts.static else 'dynamic'} ELF file")
    if image.config.variable("RUST_VERSION") or "usr/local/cargo" in image.tree.nodes:
        return Runtime("rust", _clean(image.config.variable("RUST_VERSION") or ""), evidence)
    if any(needed.startswith("libstdc++.") for needed in facts.needed):
        return Runtime("c", "", evidence)
    return Runtime("unknown", "", evidence)


def _from_surroundings(image: LoadedImage, packages: Sequence[Package]) -> Runtime:
    for name, variable in _VARIABLES.items():
        if image.config.variable(variable):
            return _runtime(image, packages, name, "", f"{variable} is set")
    directory = image.config.working_dir.strip("/")
    for name, markers in _MARKERS.items():
        for marker in markers:
            if posixpath.join(directory, marker) in image.tree.nodes:
                return _runtime(image, packages, name, "", f"{marker} is in the working directory")
    return Runtime("unknown", "", "neither command, environment nor files tell")


def _runtime(image: LoadedImage, packages: Sequence[Package], name: str, path: str, evidence: str) -> Runtime:
    variable = _VARIABLES[name]
    stated = _clean(image.config.variable(variable) or "")
    seen = _VERSION_IN_PATH.search(path)
    minor = seen.group(1).rstrip(".") if seen else ""
    if stated and (not minor or f"{stated}.".startswith(f"{minor}.")):
        return Runtime(name, stated, _evidence(f"{evidence}, {variable}={stated}"))
    built_with = _built_with(image, path)
    if name == "go" and built_with:
        return Runtime(name, built_with, _evidence(f"{evidence}, built with Go {built_with}"))
    owner = next((package for package in packages if path and path in package.paths), None)
    if owner is not None and _clean(owner.version):
        return Runtime(name, _clean(owner.version), _evidence(f"{evidence}, package {owner.name} {owner.version}"))
    return Runtime(name, minor, _evidence(evidence))


def _built_with(image: LoadedImage, path: str) -> str:
    """The release of Go that a program says it was built with, such as 1.22.1."""
    components = image.tree.components.get(path, ())
    return next((_clean(each.version.removeprefix("go")) for each in components if each.name == "stdlib"), "")


def _clean(text: str) -> str:
    """The upstream version in what a variable or a package says: ``jdk-21.0.2+13`` gives ``21.0.2+13``."""
    match = _VERSION.match(text[:50])
    return match.group(1) if match else ""


def _evidence(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:_EVIDENCE_CHARACTERS])
