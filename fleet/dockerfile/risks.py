"""What may go wrong that no static check can see, in a sentence a rung."""

from __future__ import annotations

from fleet.dockerfile.suggestion import Tier

_BY_NAME = frozenset({"python", "ruby", "php", "node"})


def risk_of(tier: Tier, runtime: str) -> str:
    if tier == "cleaned":
        return (
            "Low: nothing but caches, documentation and tools for building is gone. Layers that it shared with other "
            "images of the same base are its own now."
        )
    loads = "libraries that it loads by name, " if runtime in _BY_NAME else ""
    if tier == "slim":
        return (
            f"Low to medium: a shell and the system's usual programs are there. What no file tells is not: {loads}"
            "programs that it starts by name, files of the old base that it opens."
        )
    base = "what was copied, and nothing else" if tier == "scratch" else "the C library and certificates"
    level = "Medium to high" if tier == "scratch" else "Medium"
    missed = f"{loads}programs that it starts by name and files of the old base that it opens"
    return (
        f"{level}: there is {base}. {missed[0].upper()}{missed[1:]} would be missed at run time only, and nobody can "
        "look around with a shell. Verify it before you rely on it."
    )
