"""What every way to list repositories offers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from fleet.oci.client import RegistryClient


class Listing(Protocol):
    """A provider's way to list repositories, where the catalog is missing or wants an administrator.

    Raises RegistryError: InvalidReference for a registry that is not the provider's, Unauthorized and NotFound with
    the right that the provider wants, TooLarge for more than can be read.
    """

    def repositories(self, client: RegistryClient) -> Iterator[str]:
        """Every repository in the scope, as ``client`` reads it, each once and none that is no valid name."""
        ...
