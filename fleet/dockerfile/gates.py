"""Static checks of a suggestion: would its final stage start, and find all that the original found?

A gate passes only on evidence; what cannot be checked has not passed, and says so. Where the base's files are unknown,
the table's short list of what such bases surely hold is the evidence, and the gate says that too.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from fleet.analysis.command import find_program
from fleet.dockerfile.base_rules import SCRATCH
from fleet.dockerfile.command_line import named_in_scripts, named_words, shebang_programs
from fleet.dockerfile.final_stage import FinalStage
from fleet.dockerfile.interpreter import Interpreter, abi_minor
from fleet.dockerfile.suggestion import Gate
from fleet.image.filetree import FileTree
from fleet.image.libraries import highest_glibc, library_closure, provided_glibc
from fleet.oci.manifest import ImageConfig

_SHOWN = 5
# Where programs lie that are found by name; what packages of Node.js have in directories of that name is not.
_PROGRAMS = re.compile(r"^(?!.*/node_modules/).*(?:^|/)s?bin/[^/]+$")


def run_gates(
    stage: FinalStage, original: FileTree, before: ImageConfig, after: ImageConfig, interpreter: Interpreter | None
) -> tuple[Gate, ...]:
    """All gates of a suggestion. ``before`` and ``after`` are how the original and the new image run; ``interpreter``
    is the Python that they run, None for other runtimes."""
    start = (*(after.entrypoint or ()), *(after.cmd or ()))
    gates = [_command_gate("entry point resolves", start, stage, original, before, after)]
    if after.healthcheck and after.healthcheck.test and after.healthcheck.test[0] != "NONE":
        gates.append(_command_gate("health check resolves", _health_words(after), stage, original, before, after))
    gates += [_shebang_gate(stage, original, after), _library_gate(stage, original), _glibc_gate(stage)]
    gates += [_interpreter_gate(stage, interpreter)] if interpreter else []
    gates += _user_gate(stage, after)
    gates.append(_base_gate(stage))
    return tuple(gates)


def _health_words(config: ImageConfig) -> tuple[str, ...]:
    test = config.healthcheck.test if config.healthcheck else ()
    return (*(config.shell or ("/bin/sh", "-c")), *test[1:]) if test[:1] == ("CMD-SHELL",) else test[1:]


def _command_gate(
    name: str, words: Sequence[str], stage: FinalStage, original: FileTree, before: ImageConfig, after: ImageConfig
) -> Gate:
    """What the words name must be in the final stage as it was in the original; the first word must be in any case."""
    if not words:
        return Gate(name, False, "The image names no command, so there is nothing to start.")
    named = list(dict.fromkeys([words[0], *named_words(original, before, words)]))
    missing = [word for word in named if not has_program(stage, after, word) and not _has_path(stage, after, word)]
    missing += [word for word in named_in_scripts(original, before, words) if not has_program(stage, after, word)]
    if missing:
        return Gate(name, False, f"{_listed(missing)} would not be found in the final stage.")
    return Gate(name, True, f"{_listed(named)}: found in the final stage{_caveat(stage)}.")


def has_program(stage: FinalStage, config: ImageConfig, word: str) -> bool:
    """Whether ``execvp`` would find a word, in files that are known or that the table vouches for."""
    if find_program(stage.tree, config, word):
        return True
    return stage.facts is not None and stage.facts.has_program(word)


def _has_path(stage: FinalStage, config: ImageConfig, word: str) -> bool:
    path = posixpath.normpath(posixpath.join("/", config.working_dir, word)).lstrip("/")
    return stage.tree.resolve(path) is not None


def _user_gate(stage: FinalStage, config: ImageConfig) -> list[Gate]:
    """Engines start nothing for a user whose name they do not find."""
    name, user = "user exists", config.user.partition(":")[0]
    if not user or user.isdigit() or user == "root":
        return []
    accounts = stage.tree.text("etc/passwd")
    if accounts is None:
        return [Gate(name, False, f"Could not be checked: the accounts of {stage.base.reference} are unknown.")]
    found = any(line.partition(":")[0] == user for line in accounts.splitlines())
    said = "is among the accounts of the final stage" if found else "would be unknown in the final stage"
    return [Gate(name, found, f"{user[:80]} {said}.")]


def _shebang_gate(stage: FinalStage, original: FileTree, config: ImageConfig) -> Gate:
    name = "script interpreters exist"
    started = {find_program(stage.tree, config, word) for word in (*(config.entrypoint or ()), *(config.cmd or ()))}
    scripts = [
        path for path in stage.tree.shebangs if path in started or (path in stage.copied and _PROGRAMS.search(path))
    ]
    missing = {
        program
        for path in scripts
        for program in shebang_programs(stage.tree.shebangs[path])
        if find_program(original, config, program) and not has_program(stage, config, program)
    }
    if missing:
        return Gate(name, False, f"Copied scripts ask for {_listed(sorted(missing))}, which the final stage lacks.")
    return Gate(name, True, f"The interpreters of {len(scripts)} copied scripts are there{_caveat(stage)}.")


def _library_gate(stage: FinalStage, original: FileTree) -> Gate:
    name = "shared libraries resolve"
    programs = [path for path in stage.copied if path in stage.tree.elf]
    unmet = set(library_closure(stage.tree, programs).missing)
    if unmet:
        unmet -= set(library_closure(original, [path for path in stage.sources if path in original.elf]).missing)
    if stage.facts is not None:
        unmet = {library for library in unmet if not _vouched(stage, library)}
    if unmet:
        return Gate(name, False, f"{_listed(sorted(map(posixpath.basename, unmet)))} would be missing.")
    return Gate(name, True, f"Every library that {len(programs)} compiled files need is there{_caveat(stage)}.")


def _vouched(stage: FinalStage, library: str) -> bool:
    return stage.facts is not None and stage.facts.has_library(posixpath.basename(library))


def _glibc_gate(stage: FinalStage) -> Gate:
    name = "glibc is new enough"
    needed = highest_glibc(stage.tree, [path for path in stage.copied if path in stage.tree.elf])
    if needed is None:
        return Gate(name, True, "Nothing that is copied asks for a version of glibc.")
    provided = provided_glibc(stage.tree) if stage.is_known else stage.glibc
    if provided is None:
        return Gate(name, False, f"Could not be checked: the version of glibc in {stage.base.reference} is unknown.")
    versions = f"{needed[0]}.{needed[1]} is needed, {provided[0]}.{provided[1]} is in the base"
    return Gate(name, needed <= provided, f"glibc {versions}.")


def _interpreter_gate(stage: FinalStage, interpreter: Interpreter) -> Gate:
    name = "interpreter matches"
    minor = interpreter.minor
    there = stage.tree.resolve(interpreter.program) is not None
    if not there and not (stage.facts and stage.facts.minor == minor and interpreter.prefix == "usr/local"):
        return Gate(name, False, f"{stage.base.reference} has no /{interpreter.program}.")
    others = {tag for path in stage.copied if path.endswith(".so") and (tag := abi_minor(path)) and tag != minor}
    on_path = any(path.startswith(f"{interpreter.library}/") or path.endswith("/pyvenv.cfg") for path in stage.copied)
    if not on_path:
        return Gate(name, True, f"Python {minor} on both sides; no packages are copied for it.")
    detail = f"Python {minor} on both sides, packages where it looks for them"
    stale = f"; modules for Python {_listed(sorted(others))} are copied too and are not used by it" if others else ""
    return Gate(name, True, f"{detail}{stale}{_caveat(stage)}.")


def _base_gate(stage: FinalStage) -> Gate:
    if stage.base.reference == SCRATCH:
        return Gate("base is known", True, "Nothing lies below the final stage.")
    if stage.is_known:
        return Gate("base is known", True, f"{stage.base.reference} was read from its registry.")
    detail = f"{stage.base.reference} was not read: sizes and contents are those of a table of {stage.base.as_of}."
    return Gate("base is known", stage.facts is not None, detail)


def _caveat(stage: FinalStage) -> str:
    return "" if stage.is_known else ", as far as the table of bases tells"


def _listed(words: Sequence[str]) -> str:
    shown = ", ".join(word[:80] for word in words[:_SHOWN])
    return f"{shown} and {len(words) - _SHOWN} more" if len(words) > _SHOWN else shown
