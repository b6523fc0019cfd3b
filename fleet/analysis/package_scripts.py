"""What ``npm start`` runs: the scripts of package.json that a command names, as words.

Source: https://docs.npmjs.com/cli/v11/using-npm/scripts
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from fleet.analysis.command import command_words
from fleet.image.filetree import FileTree
from fleet.image.packages.objects import as_object, as_text, parse_object
from fleet.oci.manifest import ImageConfig

RUNNERS = frozenset({"npm", "yarn", "pnpm", "bun"})
_WORD = re.compile(r"[^\s;&|()'\"=]+")
_SCRIPT_CHARACTERS = 4_096
_MAX_SCRIPTS = 50


def script_words(tree: FileTree, config: ImageConfig) -> tuple[str, ...] | None:
    """The words of the scripts that a command starts through a package manager, and of those that they start in turn;
    none where it starts none, None where it does and nobody can read which."""
    words = command_words(config)
    start = next((at for at, word in enumerate(words) if posixpath.basename(word) in RUNNERS), None)
    if start is None:
        return ()
    scripts = package_scripts(tree, config)
    if scripts is None:
        return None
    waiting, seen, found = [*words[start + 1 :]], set[str](), list[str]()
    while waiting and len(seen) < _MAX_SCRIPTS:
        name = waiting.pop()
        for script in {name, f"pre{name}", f"post{name}"} & scripts.keys() - seen:
            seen.add(script)
            read = _WORD.findall(scripts[script][:_SCRIPT_CHARACTERS])
            found += read
            waiting += read
    return tuple(found)


def script_programs(tree: FileTree, config: ImageConfig) -> frozenset[str]:
    """Real paths of the programs in node_modules/.bin that the command or its scripts name: package managers look there
    first."""
    words = (*command_words(config), *(script_words(tree, config) or ()))
    directory = posixpath.join("/", config.working_dir, "node_modules/.bin")
    found = (tree.resolve(posixpath.join(directory, word)) for word in set(words) if "/" not in word)
    return frozenset(path for path in found if path and path in tree.nodes)


def package_scripts(tree: FileTree, config: ImageConfig) -> Mapping[str, str] | None:
    """The scripts of the package.json in the working directory, by name; None where it cannot be read."""
    path = posixpath.normpath(posixpath.join("/", config.working_dir, "package.json"))
    real = tree.resolve(path)
    if real is None or real not in tree.texts:
        return None
    scripts = as_object(parse_object(tree.texts[real]).get("scripts"))
    return {name: as_text(text) for name, text in scripts.items()}
