"""What languages' package managers and compilers keep to be faster the next time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from fleet.analysis.rules.rule import Claim, Rule, Survey, below

# By the words of a command that reads the cache at run time: `mvn spring-boot:run` needs its repository. Poetry keeps
# virtual environments beside its cache: these run.
_CACHES: Mapping[frozenset[str], str] = {
    frozenset(): (
        r"\.cache/(?:pip|pipenv|pypoetry/(?:cache|artifacts)|yarn|pnpm|node-gyp|composer|ccache|sccache|pre-commit|gem)/"
        r"|\.npm/(?!_npx/)|\.yarn-cache/|\.pnpm-store/|\.local/share/pnpm/store/|pnpm/store/"
        r"|node_modules/\.cache/|\.next/cache/webpack/|\.composer/cache/|\.cpanm/|\.ivy2/cache/"
        r"|(?:ruby|gems)/\d[\w.]*/cache/|usr/local/bundle/cache/"
    ),
    frozenset({"npx"}): r"\.npm/_npx/",
    frozenset({"bun", "bunx"}): r"\.bun/install/cache/",
    frozenset({"uv", "uvx"}): r"\.cache/uv/",
    frozenset({"conda", "mamba", "micromamba"}): r"(?:conda|miniconda3?|anaconda3|mambaforge|miniforge3)/pkgs/",
    frozenset({"go"}): r"\.cache/go-build/|go/pkg/mod/",
    frozenset({"cargo"}): r"\.?cargo/(?:registry|git)/",
    frozenset({"mvn", "mvnw"}): r"\.m2/(?:repository|wrapper)/",
    frozenset({"gradle", "gradlew"}): r"\.gradle/(?:caches|wrapper|daemon)/",
    # `dotnet bin/Debug/App.dll` may resolve assemblies from here; a published application never does.
    frozenset({"dotnet"}): r"\.local/share/NuGet/",
    frozenset({"run", "watch"}): r"\.nuget/packages/",
}


def _claims(survey: Survey) -> Iterator[Claim]:
    caches = [cache for readers, cache in _CACHES.items() if not readers & survey.words]
    roots = re.compile(rf"(?:.*?/)?(?:{'|'.join(caches)})", re.DOTALL)
    linked = _linked(survey, roots)
    return (claim for claim in below(survey, roots) if claim.root not in linked)


def _linked(survey: Survey, roots: re.Pattern[str]) -> set[str]:
    """Caches that links elsewhere lead into, as uv and pnpm make them when told to link: those are in use."""
    found: set[str] = set()
    for path, node in survey.tree.nodes.items():
        if node.entry.kind == "symlink" and node.entry.link.startswith("/") and not roots.match(path):
            match = roots.match(f"{node.entry.link[1:]}/")
            if match is not None:
                found.add(match.group().rstrip("/"))
    return found


LANGUAGE_CACHES = Rule(
    "language-cache",
    "Caches of language package managers",
    "Install without a cache (pip --no-cache-dir, npm cache clean --force in the same step), mount it with "
    "RUN --mount=type=cache, or install in a build stage.",
    _claims,
)
