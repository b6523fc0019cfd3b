"""Conda packages: conda-meta/NAME-VERSION-BUILD.json in each environment.

A record names each file of its package twice, with checksums. While its layer passes it is made one line of what is
read here. Distributions of Python that conda installed have records of their own beside these, as Debian's have: both
are listed, since programs ask for the names of PyPI, and the bytes count for conda.
Spec: https://docs.conda.io/projects/conda/en/stable/dev-guide/specs/ and CEP 34
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator

from fleet.image.filetree import FileTree
from fleet.image.packages.listing import Locator, below, short
from fleet.image.packages.objects import Object, as_text, as_texts, parse_object
from fleet.image.packages.package import Package

_RECORDS = "conda-meta"


def is_record(path: str) -> bool:
    """Whether the path of a JSON file is that of an installed package."""
    directory = path.rpartition("/")[0]
    return directory == _RECORDS or directory.endswith(f"/{_RECORDS}")


def extract(content: bytes | bytearray) -> Iterator[bytes]:
    """The one line of a record, for ``read``."""
    record = parse_object(bytes(content))
    name, version = as_text(record.get("name")), as_text(record.get("version"))
    if name and version:
        files, depends = as_texts(record.get("files")), as_texts(record.get("depends"))
        fields = {"name": name, "version": version, "files": files, "depends": depends}
        yield json.dumps(fields, separators=(",", ":")).encode("ascii")


def read(tree: FileTree) -> Iterator[Package]:
    locator = Locator(tree)
    for path in sorted(tree.texts):
        if path.endswith(".json") and is_record(path):
            record = parse_object(tree.texts[path])
            if record:
                yield _package(tree, locator, path, record)


def _package(tree: FileTree, locator: Locator, path: str, record: Object) -> Package:
    environment = posixpath.dirname(posixpath.dirname(path))
    listed = (below(environment, name) for name in as_texts(record.get("files")))
    names = (specification.partition(" ")[0] for specification in as_texts(record.get("depends")))
    return Package(
        ecosystem="conda",
        name=short(as_text(record.get("name"))),
        version=short(as_text(record.get("version"))),
        unpacked_bytes=0,
        layer=tree.nodes[path].layer,
        paths=locator.present((*listed, path)),
        depends=tuple(dict.fromkeys(map(short, names))),
    )
