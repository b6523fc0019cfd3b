"""What an image is read from, whatever keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from fleet.oci.client import RegistryClient
from fleet.oci.manifest import Descriptor


class Source(Protocol):
    """One repository, wherever it is kept. Every method raises RegistryError.

    ``name`` is what FROM would say without a tag: "127.0.0.1:5000/team/app", or "app" in an engine.
    ``stores_compressed`` is False where layers are kept as plain tars, which a push would compress.
    """

    @property
    def name(self) -> str: ...

    @property
    def stores_compressed(self) -> bool: ...

    def head(self, reference: str) -> Descriptor:
        """What a tag or digest points to, as cheaply as the place can tell."""
        ...

    def manifest(self, reference: str) -> tuple[Descriptor, bytes]:
        """A manifest or index and its bytes."""
        ...

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """A blob as stored, in chunks of at most 256 KiB. Raises DigestMismatch at the end if not before."""
        ...

    def close(self) -> None: ...


class RegistrySource:
    """A repository in a registry. Closes the client only when it ``owns_client``."""

    stores_compressed = True

    def __init__(self, client: RegistryClient, repository: str, *, owns_client: bool = False) -> None:
        self.name = f"{client.name}/{repository}"
        self._client = client
        self._repository = repository
        self._owns_client = owns_client

    def head(self, reference: str) -> Descriptor:
        return self._client.head(self._repository, reference)

    def manifest(self, reference: str) -> tuple[Descriptor, bytes]:
        return self._client.manifest(self._repository, reference)

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        return self._client.blob(self._repository, descriptor)

    def close(self) -> None:
        if self._owns_client:
            self._client.close()
