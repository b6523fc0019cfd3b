"""Platforms as Docker writes them: an operating system, an architecture, a variant of that.

Spec: https://github.com/opencontainers/image-spec/blob/main/image-index.md#platform-variants
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet.oci.errors import InvalidReference
from fleet.oci.wording import shown

_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "i386": ("386", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
# The variants that an index may leave unsaid.
_DEFAULT_VARIANTS = {"arm64": "v8", "arm": "v7", "amd64": "v1"}


@dataclass(frozen=True, slots=True)
class Platform:
    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """OS/ARCH[/VARIANT] as Docker writes it; uname's names for an architecture are understood."""
        parts = text.strip().lower().split("/")
        if len(parts) not in (2, 3) or not all(part.isascii() and part.isprintable() and part for part in parts):
            raise InvalidReference(f"{shown(text)!r} is no platform. Write OS/ARCH[/VARIANT], as in linux/amd64.")
        os, architecture, *rest = parts
        architecture, implied = _ARCHITECTURES.get(architecture, (architecture, ""))
        return cls(os, architecture, rest[0] if rest else implied)

    def matches(self, wanted: Platform) -> bool:
        """Whether content for this platform is what ``wanted`` asks for. A variant left unsaid is the usual one."""
        if (self.os, self.architecture) != (wanted.os, wanted.architecture):
            return False
        usual = _DEFAULT_VARIANTS.get(self.architecture, "")
        return (self.variant or usual) == (wanted.variant or usual)

    def contradicts(self, wanted: Platform) -> bool:
        """Whether content that says it is for this platform cannot be what ``wanted`` asks for. What is left unsaid
        contradicts nothing, nor does a variant that only one side names: builders often leave it out."""
        if not (self.os and self.architecture):
            return False
        mine, implied = _ARCHITECTURES.get(self.architecture.lower(), (self.architecture.lower(), ""))
        variant = self.variant.lower() or implied
        if (self.os.lower(), mine) != (wanted.os.lower(), wanted.architecture.lower()):
            return True
        return bool(variant and wanted.variant) and variant != wanted.variant

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)
