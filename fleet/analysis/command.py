"""What a container of the image starts: the words of its command and the files that they name."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator, Sequence

from fleet.image.filetree import FileTree
from fleet.oci.manifest import ImageConfig

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_SCRIPT_CHARACTERS = 4_096
_MAX_WORDS = 64
_SEPARATORS = frozenset({"&&", "||", ";", "|", "&", "(", ")"})


def command_words(config: ImageConfig) -> tuple[str, ...]:
    """Entry point and command as one list of words; of a shell script in them only its last statement, since that is
    the one that stays."""
    words: list[str] = []
    for part in ((config.entrypoint or ()), (config.cmd or ())):
        words += _split_script(part)
    return tuple(words[:_MAX_WORDS])


def _split_script(part: Sequence[str]) -> list[str]:
    """``("/bin/sh", "-c", "a && exec b")`` gives ``["/bin/sh", "-c", "exec", "b"]``."""
    words: list[str] = []
    in_shell = False
    for word in part[:_MAX_WORDS]:
        is_script = in_shell and words[-1].startswith("-") and words[-1].endswith("c")
        words += last_statement(word) if is_script else [word]
        in_shell = (in_shell and not is_script) or posixpath.basename(word) in SHELLS
    return words


def last_statement(script: str) -> list[str]:
    """The words of a shell script's last statement, or all of them where its quotes do not match."""
    lexer = shlex.shlex(script[:_SCRIPT_CHARACTERS], posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    statement: list[str] = []
    ended = False
    try:
        for token in lexer:
            if token in _SEPARATORS:
                ended = True
                continue
            if ended:
                statement, ended = [], False
            statement.append(token)
    except ValueError:  # an unbalanced quote
        return script[:_SCRIPT_CHARACTERS].split()
    return statement


def find_program(tree: FileTree, config: ImageConfig, word: str) -> str | None:
    """The real path of the file that ``execvp`` would start for a word, or None."""
    return next((real for path in _candidates(config, word) if (real := _real_file(tree, path))), None)


def _candidates(config: ImageConfig, word: str) -> Iterator[str]:
    if "/" in word:
        yield _absolute(config, word)
        return
    for directory in (config.variable("PATH") or DEFAULT_PATH).split(":")[:_MAX_WORDS]:
        yield _absolute(config, posixpath.join(directory or ".", word))


def named_files(tree: FileTree, config: ImageConfig) -> frozenset[str]:
    """Real paths of the programs, scripts and archives that the command's words name."""
    found: set[str] = set()
    for word in command_words(config):
        real = find_program(tree, config, word) or _real_file(tree, _absolute(config, word))
        if real is not None:
            found.add(real)
    return frozenset(found)


def _absolute(config: ImageConfig, path: str) -> str:
    """A path as the container's working directory makes it, without leading slash."""
    return posixpath.normpath(posixpath.join("/", config.working_dir, path)).lstrip("/")


def _real_file(tree: FileTree, path: str) -> str | None:
    real = tree.resolve(path)
    node = tree.nodes.get(real) if real else None
    return real if node is not None and node.entry.kind in ("file", "hardlink") else None
