"""Ruby gems: specifications/NAME-VERSION.gemspec beside gems/NAME-VERSION/.

Source: https://guides.rubygems.org/command-reference/#gem-environment
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.image.filetree import FileTree
from fleet.image.packages.listing import short
from fleet.image.packages.package import Package

_LONGEST_NAME = 256
_SPECIFICATION = re.compile(
    r"(?P<home>.*)/specifications/(?:default/)?(?P<full>(?P<name>[^/]+?)-(?P<version>\d[\w.]*)(?:-[^/]+)?)\.gemspec"
)


def read(tree: FileTree) -> Iterator[Package]:
    for path, node in tree.nodes.items():
        # Of bounded length, since the pattern tries every dash.
        bounded = path.endswith(".gemspec") and len(path) - path.rfind("/") <= _LONGEST_NAME
        match = _SPECIFICATION.fullmatch(path) if bounded else None
        if match is None:
            continue
        under = tree.under(f"{match['home']}/gems/{match['full']}")
        files = (found for found, node in under if node.entry.kind != "directory")
        yield Package("gem", short(match["name"]), short(match["version"]), 0, node.layer, (path, *files))
