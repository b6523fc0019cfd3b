"""How a container starts once nothing stands between the engine and the program, and what a shell is still needed for.

A shell form whose words mean the same without a shell, ``npm start`` for a script of such words, and the entry scripts
of official images that only hand over to the command: each is written out, so that no shell is asked for.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fleet.analysis.command import SHELLS, find_program
from fleet.analysis.package_scripts import RUNNERS, package_scripts
from fleet.dockerfile.command_line import shell_scripts, simple_words
from fleet.image.filetree import FileTree
from fleet.oci.manifest import ImageConfig

_HANDS_OVER = re.compile(r'exec "\$@"\s*$')
# What the official entry scripts do before they hand over: the program that they put in front of options alone.
_IN_FRONT = re.compile(r'^\s*set -- (node|php|ruby|apache2-foreground) "\$@"\s*$', re.MULTILINE)
_SHEBANG = re.compile(r"#!\s?(?:/usr/bin/env )?(?:(?:/usr(?:/local)?)?/bin/)?(?:sh|bash|dash|ash)(?: -[eux]+)?\s?")
# Lines that change nothing: settings of the shell, tests of the first argument around the line above, and comments.
_TEST = r'(?:! )?\[ [-"$@#{}1a-z=!. ]*(?:"\$\(command -v "\$\{?1\}?"\)")?[-"$@#{}1a-z=!. ]* \]'
_HARMLESS = re.compile(
    rf"(?:#.*|set -[a-z]+(?: -o pipefail)?|if {_TEST}(?: \|\| (?:{_TEST}|\{{ {_TEST} && {_TEST}; \}}))*; then|fi"
    r'|exec "\$@"|set -- (?:node|php|ruby|apache2-foreground) "\$@"|)\s*$'
)
_SHOWN = 60
_LONGEST_LINE = 200
_STARTS_SCRIPTS = RUNNERS | {"npx", "pnpx", "yarnpkg", "bunx", "corepack"}


@dataclass(frozen=True, slots=True)
class Start:
    """``config`` is how the new image runs. ``shell`` says in a sentence what a shell is needed for, empty where for
    nothing; ``notes`` what was written out."""

    config: ImageConfig
    shell: str = ""
    notes: tuple[str, ...] = ()


def plan_start(tree: FileTree, config: ImageConfig) -> Start:
    """The same start with as little in front of the program as is certain."""
    notes: list[str] = []
    planned = _without_script(tree, _without_shell(config))
    if planned.entrypoint != config.entrypoint and len(config.entrypoint or ()) == 1:
        notes.append(
            f"The entry script {(config.entrypoint or ('',))[0][:_SHOWN]} only hands over to the command, which is "
            "started directly."
        )
    planned = _without_shell(planned)
    if words := _script_of(tree, planned):
        command = " ".join(planned.cmd or planned.entrypoint or ())[:_SHOWN]
        notes.append(f"{command} is written out as {' '.join(words)[:200]}, so that signals reach the program.")
        planned = replace(planned, entrypoint=None, cmd=words)
    elif _words(planned) != _words(config) and not notes:
        notes.append("The command starts without a shell, so stop signals reach the program.")
    return Start(planned, _shell_reason(tree, planned), tuple(notes))


def _words(config: ImageConfig) -> tuple[str, ...]:
    return (*(config.entrypoint or ()), *(config.cmd or ()))


def _without_shell(config: ImageConfig) -> ImageConfig:
    entrypoint, cmd = config.entrypoint, config.cmd
    if entrypoint:
        words = _unwrapped(entrypoint)
        return replace(config, entrypoint=words, cmd=None) if words else config  # a shell form ignores CMD
    words = _unwrapped(cmd) if cmd else None
    return replace(config, cmd=words) if words else config


def _unwrapped(words: tuple[str, ...]) -> tuple[str, ...] | None:
    """The words of a shell form that needs no shell, or None."""
    is_form = len(words) == 3 and posixpath.basename(words[0]) in SHELLS and words[1] == "-c"
    return simple_words(words[2]) if is_form else None


def _without_script(tree: FileTree, config: ImageConfig) -> ImageConfig:
    """The command alone, where the entry point is a script that does nothing but start it."""
    if len(config.entrypoint or ()) != 1 or not config.cmd:
        return config
    path = find_program(tree, config, (config.entrypoint or ("",))[0])
    text = tree.text(path) if path and path in tree.shebangs else None
    if text is None or not _HANDS_OVER.search(text):
        return config
    first_line, *body = text.split("\n")
    front = _IN_FRONT.search(text)
    if not _SHEBANG.fullmatch(first_line) or not all(map(_is_harmless, body)):
        return config
    first = config.cmd[0]
    program = find_program(tree, config, first)
    is_option = first.startswith("-") or program is None or not tree.nodes[program].entry.mode & 0o111
    if is_option and not front:
        return config
    return replace(config, entrypoint=None, cmd=(front[1], *config.cmd) if front and is_option else config.cmd)


def _is_harmless(line: str) -> bool:
    return len(line) <= _LONGEST_LINE and _HARMLESS.match(line.strip()) is not None


def _script_of(tree: FileTree, config: ImageConfig) -> tuple[str, ...] | None:
    """The words that ``npm start`` and the like stand for, where they are simple and their program is found."""
    words = _words(config)
    if len(words) not in (2, 3) or words[0] not in RUNNERS:
        return None
    name = words[-1]
    if len(words) == 3 and words[1] not in ("run", "run-script"):
        return None
    scripts = package_scripts(tree, config) or {}
    if name not in scripts or not scripts.keys().isdisjoint((f"pre{name}", f"post{name}")):
        return None
    simple = simple_words(scripts[name])
    if simple is None:
        return None
    if find_program(tree, config, simple[0]):
        return simple
    local = posixpath.join("node_modules/.bin", simple[0])
    real = tree.resolve(posixpath.normpath(posixpath.join(config.working_dir, local)).lstrip("/"))
    if real is None or real not in tree.nodes:
        return None
    return (f"./{local}", *simple[1:])


def _shell_reason(tree: FileTree, config: ImageConfig) -> str:
    """Why a shell has to be there, in a sentence; empty where nothing of what the config starts needs one."""
    words = _words(config)
    if scripts := shell_scripts(tree, config, words):
        is_entry = bool(words) and find_program(tree, config, words[0]) == scripts[0]
        what = "The entry point is a shell script" if is_entry else "The command starts a shell script"
        return f"{what} (/{scripts[0][:_SHOWN]}), so a shell has to stay."
    if words and posixpath.basename(words[0]) in SHELLS:
        return f"The command is a script for {words[0]} ({_cut(words)}), so a shell has to stay."
    runner = next((word for word in words if posixpath.basename(word) in _STARTS_SCRIPTS), "")
    if runner:
        return f"The command goes through {runner[:_SHOWN]}, which starts scripts with a shell, so both have to stay."
    shells = [word for word in words if posixpath.basename(word) in SHELLS and find_program(tree, config, word)]
    if shells:
        return f"The command starts {shells[0]} ({_cut(words)}), so a shell has to stay."
    return _check_reason(tree, config)


def _check_reason(tree: FileTree, config: ImageConfig) -> str:
    test = config.healthcheck.test if config.healthcheck else ()
    if test[:1] == ("CMD-SHELL",):
        return f"The health check is a script for a shell ({test[1][:_SHOWN]}), so one has to stay."
    words = test[1:]
    if words and posixpath.basename(words[0]) in SHELLS:
        return f"The health check starts {words[0]} ({_cut(words)}), so a shell has to stay."
    if scripts := shell_scripts(tree, config, words):
        return f"The health check is a shell script (/{scripts[0][:_SHOWN]}), so a shell has to stay."
    return ""


def _cut(words: Sequence[str]) -> str:
    return " ".join(words)[:_SHOWN]
