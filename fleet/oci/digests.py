"""Content digests: how they look, and proof that bytes have the one that was asked for.

Spec: https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from fleet.oci.errors import DigestMismatch

if TYPE_CHECKING:
    from fleet.oci.manifest import Descriptor

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


def is_digest(text: str) -> bool:
    """Whether ``text`` is a digest of an algorithm that we can verify: sha256 or sha512."""
    return _DIGEST.fullmatch(text) is not None


def digest_of(body: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"


def verify(body: bytes, digest: str, where: str) -> None:
    """Raises DigestMismatch unless ``body`` has ``digest``."""
    found = digest_of(body, digest.partition(":")[0])
    if found != digest:
        raise DigestMismatch(_mismatch(digest, found, where))


def verified(chunks: Iterable[bytes], descriptor: Descriptor, where: str) -> Iterator[bytes]:
    """Passes ``chunks`` on and raises DigestMismatch at the end, or as soon as there are too many bytes.

    Whoever consumes the chunks must not keep what was made of them before the iterator ended without an error.
    """
    algorithm = descriptor.digest.partition(":")[0]
    content = hashlib.new(algorithm)
    length_bytes = 0
    for chunk in chunks:
        length_bytes += len(chunk)
        if length_bytes > descriptor.size_bytes:
            raise DigestMismatch(
                f"{where} sent more than the {descriptor.size_bytes} bytes that {descriptor.digest} has. "
                "Push the image again."
            )
        content.update(chunk)
        yield chunk
    if length_bytes < descriptor.size_bytes:
        raise DigestMismatch(
            f"{where} ended {descriptor.digest} after {length_bytes} of {descriptor.size_bytes} bytes. "
            "Scan again; if it stays short, push the image again."
        )
    found = f"{algorithm}:{content.hexdigest()}"
    if found != descriptor.digest:
        raise DigestMismatch(_mismatch(descriptor.digest, found, where))


def _mismatch(asked: str, found: str, where: str) -> str:
    return f"{where} was asked for {asked} and sent bytes that are {found}. The stored copy is damaged: push it again."
