"""Where an image keeps its Python: the interpreter itself, and the places that packages are installed to.

Spec: https://docs.python.org/3/library/site.html, https://docs.python.org/3/library/venv.html
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from fleet.analysis.command import find_program
from fleet.image.filetree import FileTree
from fleet.oci.manifest import ImageConfig

_EXECUTABLE = re.compile(r"(?P<prefix>.+)/bin/python(?P<minor>\d{1,2}\.\d{1,3})")
_OWN_PROGRAM = re.compile(r"(python|pip|idle|pydoc|2to3|easy_install)[\d.]*(-config)?(-gdb\.py)?$")
_ABI = re.compile(r"\.(?:cpython|pypy)-?(\d{2,4})\w*-[\w-]+\.so$")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """``prefix`` has no leading slash: ``usr/local`` in the official images, ``usr`` in Debian's."""

    prefix: str
    minor: str

    @property
    def library(self) -> str:
        return f"{self.prefix}/lib/python{self.minor}"

    @property
    def site_packages(self) -> str:
        return f"{self.library}/site-packages"

    @property
    def program(self) -> str:
        return f"{self.prefix}/bin/python{self.minor}"

    def owns(self, path: str) -> bool:
        """Whether a file below the prefix belongs to the interpreter, so that every base of its minor has it."""
        rest = path[len(self.prefix) + 1 :]
        if rest.startswith("lib/python"):
            return not rest.startswith(f"lib/python{self.minor}/site-packages/")
        if rest.startswith("bin/"):
            return _OWN_PROGRAM.match(rest[4:]) is not None
        return rest.startswith(("include/", "lib/libpython", "lib/pkgconfig/", "share/man/", "share/doc/"))


def find_interpreter(tree: FileTree, config: ImageConfig) -> Interpreter | None:
    """The Python that the image's PATH leads to, through virtual environments to the real one; else the only one."""
    for word in ("python3", "python"):
        found = _EXECUTABLE.fullmatch(find_program(tree, config, word) or "")
        if found:
            return Interpreter(found["prefix"], found["minor"])
    places = [m for path in tree.nodes if path.startswith("usr/") and (m := _EXECUTABLE.fullmatch(path))]
    best = next((m for m in places if m["prefix"] == "usr/local"), places[0] if places else None)
    return Interpreter(best["prefix"], best["minor"]) if best else None


def virtual_environments(tree: FileTree) -> tuple[str, ...]:
    """The directories that hold a ``pyvenv.cfg``."""
    return tuple(sorted(posixpath.dirname(path) for path in tree.nodes if path.endswith("/pyvenv.cfg")))


def is_musl(tree: FileTree) -> bool:
    return any(path.startswith("lib/ld-musl-") for path, _ in tree.under("lib"))


def abi_minor(path: str) -> str | None:
    """The minor that a compiled module's name asks for: ``x.cpython-311-x86_64-linux-gnu.so`` gives ``3.11``. None
    for stable-ABI and untagged modules."""
    found = _ABI.search(path)
    return f"{found[1][0]}.{found[1][1:]}" if found else None
