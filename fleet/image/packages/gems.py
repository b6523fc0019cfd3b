"""Ruby gems: specifications/NAME-VERSION.gemspec beside gems/NAME-VERSION/ and extensions/…/NAME-VERSION/.

The gems that Ruby comes with have specifications alone (in default/); their files are among those of its library.
Source: https://guides.rubygems.org/command-reference/#gem-environment
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from fleet.image.filetree import FileTree, Node
from fleet.image.packages.listing import Locator, below, files_by_directory, short
from fleet.image.packages.package import Package

_LONGEST_NAME = 256
_SPECIFICATION = re.compile(r"(?P<home>.*)/specifications/(?P<default>default/)?(?P<full>[^/]+)\.gemspec", re.DOTALL)
# RubyGems repeats name and version in a comment, so as not to run every specification.
_STUB = re.compile(r"^# stub: (\S{1,200}) (\d\S{0,100}) ", re.MULTILINE)
_FILE_NAME = re.compile(r"([^/]+?)-(\d[\w.]*)(?:-[^/]+)?")
_EXTENSIONS = re.compile(r"(?P<home>.*)/extensions/[^/]+/[^/]+/(?P<full>[^/]+)/gem\.build_complete", re.DOTALL)
_FILES = re.compile(r"^[ \t]*s\.files = \[(.*)\]", re.MULTILINE)
_LIBRARY_FILE = re.compile(r'"lib/([^"]+)"')
_DEPENDENCY = re.compile(r"\.add_(?:runtime_)?dependency\(%q<([^>]{1,200})>")
_LIBRARY_OF_HOME = re.compile(r"(.*)/gems/(\d+\.\d+\.\d+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Gem:
    path: str
    node: Node
    home: str
    full: str
    name: str
    version: str
    default: bool
    text: str


def read(tree: FileTree) -> Iterator[Package]:
    locator = Locator(tree)
    gems = [gem for path, node in tree.nodes.items() if path.endswith(".gemspec") and (gem := _gem(tree, path, node))]
    extensions = dict(_extensions(tree)) if gems else {}
    directories = {f"{gem.home}/gems/{gem.full}" for gem in gems} | set(extensions.values())
    files = files_by_directory(tree, directories)
    for gem in gems:
        own = files.get(f"{gem.home}/gems/{gem.full}", [])
        built = files.get(extensions.get((gem.home, gem.full), ""), [])
        library = locator.present(_library_files(gem)) if gem.default else ()
        paths = tuple(dict.fromkeys((gem.path, *own, *built, *library)))
        depends = tuple(dict.fromkeys(map(short, _DEPENDENCY.findall(gem.text))))
        yield Package("gem", short(gem.name), short(gem.version), 0, gem.node.layer, paths, depends)


def _gem(tree: FileTree, path: str, node: Node) -> _Gem | None:
    # Of bounded length, since the pattern for names tries every dash.
    place = _SPECIFICATION.fullmatch(path) if len(path) - path.rfind("/") <= _LONGEST_NAME else None
    if place is None:
        return None
    text = tree.texts.get(path, b"").decode(errors="replace")
    named = _STUB.search(text) or _FILE_NAME.fullmatch(place["full"])
    if named is None:
        return None
    return _Gem(path, node, place["home"], place["full"], named[1], named[2], place["default"] is not None, text)


def _extensions(tree: FileTree) -> Iterator[tuple[tuple[str, str], str]]:
    """The directory of what was compiled for each gem, by the home and full name of the gem."""
    for path in tree.nodes:
        match = _EXTENSIONS.fullmatch(path) if path.endswith("/gem.build_complete") else None
        if match:
            yield (match["home"], match["full"]), posixpath.dirname(path)


def _library_files(gem: _Gem) -> Iterator[str]:
    """Where Ruby's own library has the files of a gem that it comes with: lib/ruby/3.3.0 beside lib/ruby/gems/3.3.0."""
    home, listed = _LIBRARY_OF_HOME.fullmatch(gem.home), _FILES.search(gem.text)
    if home and listed:
        for name in _LIBRARY_FILE.findall(listed[1]):
            yield below(f"{home[1]}/{home[2]}", name)
