"""Sources that were compiled into what runs: TypeScript beside JavaScript, Sass and Less beside CSS.

Node never loads a ``.d.ts``, and loads a ``.ts`` only where something compiles it on the fly or strips its types; then
everything stays. A source counts only where its result is in the image: ``a.ts`` with ``a.js`` beside it, or in the
``dist``, ``build`` or ``lib`` that stands beside its ``src``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.analysis.command import command_words
from fleet.analysis.package_scripts import script_words
from fleet.analysis.rules.rule import Claim, Rule, Survey

_DECLARATION = re.compile(r".*\.d\.[cm]?ts", re.DOTALL)
_TYPESCRIPT = (".ts", ".tsx", ".mts", ".cts")
_STYLES = (".scss", ".sass", ".less")
_RUNNERS = frozenset(
    {"ts-node", "ts-node-dev", "tsx", "deno", "bun", "bunx", "vite-node", "esbuild-register", "swc-node", "nodemon"}
    | {"--experimental-strip-types", "--experimental-transform-types", "tsc", "next", "vite", "ng", "nuxt"}
)
_COMPILERS = frozenset({"typescript", "ts-node", "tsx"})
_RESULTS = ("dist", "build", "lib", "out")
_JAVASCRIPT = {".ts": (".js",), ".tsx": (".js", ".jsx"), ".mts": (".mjs",), ".cts": (".cjs",)}


def _claims(survey: Survey) -> Iterator[Claim]:
    compiled_on_the_fly = _compiles(survey)
    for nodes in survey.directories.values():
        for node in nodes:
            path = node.entry.path
            if path.endswith(_STYLES):
                is_original = f"{path.rpartition('.')[0]}.css" in survey.tree.nodes
            elif compiled_on_the_fly or not path.endswith(_TYPESCRIPT):
                continue
            elif _DECLARATION.fullmatch(path):
                is_original = "node_modules/" in path or _has_result(survey, path)
            else:
                is_original = _has_result(survey, path)
            if is_original and node.entry.kind == "file":
                yield Claim(node.entry, node.layer)


def _compiles(survey: Survey) -> bool:
    """Whether something may read TypeScript at run time: what the command or its scripts run, a Node that is pointed at
    it, or a compiler that was installed for more than development."""
    scripts = script_words(survey.tree, survey.config)
    if scripts is None:
        return True
    options = (survey.config.variable("NODE_OPTIONS") or "")[:1000]
    words = [part for word in (*command_words(survey.config), *scripts, options) for part in re.split(r"[=\s]", word)]
    if any(word.endswith(_TYPESCRIPT) or word.partition("/")[0] in _RUNNERS for word in words):
        return True
    installed = (package for package in survey.packages if package.ecosystem == "npm" and not package.development)
    return not _RUNNERS.isdisjoint(survey.words) or any(package.name in _COMPILERS for package in installed)


def _has_result(survey: Survey, path: str) -> bool:
    stem, _, suffix = (
        path.removesuffix(".d.ts").rpartition(".") if not path.endswith(".d.ts") else (path[:-5], "", "ts")
    )
    places = [stem]
    before, source, below = stem.rpartition("/src/")
    if source:
        places += [f"{before}/{result}/{below}" for result in _RESULTS]
    elif stem.startswith("src/"):
        places += [f"{result}/{stem[4:]}" for result in _RESULTS]
    endings = _JAVASCRIPT.get(f".{suffix}", ())
    return any(f"{place}{ending}" in survey.tree.nodes for place in places for ending in endings)


ORIGINAL_SOURCES = Rule(
    "original-sources",
    "Sources beside what was compiled from them",
    "Copy the compiled output alone into the final stage, and leave declarations (.d.ts) and stylesheets' sources in "
    "the build stage: nothing reads them at run time.",
    _claims,
)
