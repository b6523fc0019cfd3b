"""What commands and the scripts they start name: programs and files that must be found again.

A word counts when the original has a program or a file of that name, so that arguments and shell built-ins, which no
parser of ours could tell apart with certainty, do not matter.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence

from fleet.analysis.command import SHELLS, find_program
from fleet.image.filetree import FileTree
from fleet.oci.manifest import ImageConfig

_SCRIPT_CHARACTERS = 16_384
_WORDS = 256
_SPECIAL = frozenset("|&;<>()$`\\\"'*?[#~%{}!\n")
_STARTS_COMMAND = re.compile(
    r"(?:^|[;&|(])[ \t]{0,40}(?:(?:exec|then|do|else|if|while|until|!)[ \t]+){0,4}([A-Za-z0-9_./+-]{1,200})", re.M
)


def named_words(tree: FileTree, config: ImageConfig, words: Sequence[str]) -> tuple[str, ...]:
    """The words, also those inside a shell script, that name a program or a path of the image."""
    return tuple(dict.fromkeys(word for word in _all_words(words) if _names_something(tree, config, word)))


def named_in_scripts(tree: FileTree, config: ImageConfig, words: Sequence[str]) -> tuple[str, ...]:
    """Programs that scripts named by the words start, where the scripts' text was kept."""
    found: dict[str, None] = {}
    for word in _all_words(words):
        path = find_program(tree, config, word)
        text = tree.text(path) if path and path in tree.shebangs else None
        for name in _STARTS_COMMAND.findall((text or "")[:_SCRIPT_CHARACTERS]):
            if find_program(tree, config, name):
                found[name] = None
    return tuple(found)


def shell_scripts(tree: FileTree, config: ImageConfig, words: Sequence[str]) -> tuple[str, ...]:
    """Paths of shell scripts among the words."""
    paths = (find_program(tree, config, word) for word in _all_words(words))
    return tuple(
        dict.fromkeys(
            path
            for path in paths
            if path and posixpath.basename(shebang_program(tree.shebangs.get(path, ""))) in SHELLS
        )
    )


def shebang_program(shebang: str) -> str:
    """The program of a script's first line: ``#!/usr/bin/env -S python3 -u`` gives ``python3``; else empty."""
    words = shebang.removeprefix("#!").split()
    if words and posixpath.basename(words[0]) == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return words[0] if words else ""


def shebang_programs(shebang: str) -> tuple[str, ...]:
    """All that has to be there for a script's first line: ``env`` is a program too."""
    first = shebang.removeprefix("#!").split()[:1]
    return tuple(dict.fromkeys((*first, *filter(None, [shebang_program(shebang)]))))


def simple_words(command: str) -> tuple[str, ...] | None:
    """The words of a shell command that mean the same without a shell, or None when it needs one."""
    if any(char in _SPECIAL for char in command):
        return None
    words = tuple(command.split())
    return words if words and "=" not in words[0] and find_builtin(words[0]) is None else None


def find_builtin(word: str) -> str | None:
    """The word itself when only a shell knows it."""
    return word if word in {"exec", "cd", "export", "set", "source", ".", "eval", "ulimit", "umask", "trap"} else None


def _all_words(words: Sequence[str]) -> Iterator[str]:
    previous = ""
    for index, word in enumerate(words[:_WORDS]):
        in_shell = any(posixpath.basename(other) in SHELLS for other in words[:index])
        if in_shell and previous.startswith("-") and previous.endswith("c"):
            yield from _script_words(word)
        else:
            yield word
        previous = word


def _script_words(script: str) -> Iterator[str]:
    lexer = shlex.shlex(script[:_SCRIPT_CHARACTERS], posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        yield from list(lexer)[:_WORDS]
    except ValueError:  # an unbalanced quote
        yield from script[:_SCRIPT_CHARACTERS].split()[:_WORDS]


def _names_something(tree: FileTree, config: ImageConfig, word: str) -> bool:
    if word.startswith("-") or not word or "\0" in word:
        return False
    if find_program(tree, config, word):
        return True
    if "/" not in word and "." not in word:
        return False
    path = posixpath.normpath(posixpath.join("/", config.working_dir, word)).lstrip("/")
    return bool(path) and tree.resolve(path) is not None
