"""Endpoints: where repositories are listed. A registry, an engine, layouts or archives on disk, behind one face."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol

from fleet.oci.client import RegistryClient
from fleet.oci.credentials import Login
from fleet.oci.errors import NotFound
from fleet.oci.listings import Listing
from fleet.oci.pace import Pace
from fleet.oci.sources.archives import ArchiveEndpoint
from fleet.oci.sources.engine import Engine, EngineSource
from fleet.oci.sources.layout import INDEX, LayoutSource
from fleet.oci.sources.source import RegistrySource, Source
from fleet.oci.transport import Stats
from fleet.oci.trust import Trust
from fleet.oci.wording import shown

EndpointKind = Literal["distribution", "engine", "layout", "archive"]

_LAYOUT_DEPTH = 4
_LAYOUT_LIMIT = 10_000


class Endpoint(Protocol):
    """Every method raises RegistryError. Names come in the endpoint's order and none is invented."""

    @property
    def stats(self) -> Stats: ...

    def check(self) -> None:
        """Whether the place answers as what it should be, and takes the login."""
        ...

    def repositories(self) -> Iterator[str]: ...

    def tags(self, repository: str) -> Iterator[str]: ...

    def source(self, repository: str) -> Source:
        """A reader of one repository. It shares this endpoint's connections and is of no use after ``close``."""
        ...

    def close(self) -> None: ...


def open_endpoint(
    kind: EndpointKind,
    url: str,
    *,
    credentials: Login | None = None,
    plain_http: bool = False,
    trust: Trust | None = None,
    pace: Pace | None = None,
    listing: Listing | None = None,
) -> Endpoint:
    """Opens nothing yet: the first question does. Raises InvalidReference for a URL that cannot be one.

    ``listing`` stands for a registry's catalog. Engines take ``trust`` and ``plain_http`` as registries do; the other
    arguments are for registries alone.
    """
    if kind == "distribution":
        client = RegistryClient(url, credentials=credentials, plain_http=plain_http, pace=pace, trust=trust)
        return DistributionEndpoint(client, listing)
    if kind == "engine":
        return EngineEndpoint(url, trust=trust, plain_http=plain_http)
    path = Path(url.removeprefix("file://"))
    return ArchiveEndpoint(path) if kind == "archive" else LayoutEndpoint(path)


class DistributionEndpoint:
    """Repositories are those of the catalog, or of the provider's ``listing`` in its place."""

    def __init__(self, client: RegistryClient, listing: Listing | None = None) -> None:
        self._client = client
        self._listing = listing
        self.stats = client.stats

    def check(self) -> None:
        """Whether the registry takes the login. What a provider's API makes of it shows when repositories are asked."""
        self._client.check()

    def repositories(self) -> Iterator[str]:
        return self._listing.repositories(self._client) if self._listing else self._client.repositories()

    def tags(self, repository: str) -> Iterator[str]:
        return self._client.tags(repository)

    def source(self, repository: str) -> Source:
        return RegistrySource(self._client, repository)

    def close(self) -> None:
        self._client.close()


class EngineEndpoint:
    """Repositories and tags are those of the images that have a name."""

    def __init__(self, url: str, *, trust: Trust | None = None, plain_http: bool = False) -> None:
        self.stats = Stats()
        self._engine = Engine(url or None, trust=trust, plain_http=plain_http, stats=self.stats)

    def check(self) -> None:
        self._engine.check()

    def repositories(self) -> Iterator[str]:
        yield from dict.fromkeys(name for name, _ in self._engine.names())

    def tags(self, repository: str) -> Iterator[str]:
        yield from (tag for name, tag in self._engine.names() if name == repository)

    def source(self, repository: str) -> Source:
        return EngineSource(repository, self._engine)

    def close(self) -> None:
        self._engine.close()


class LayoutEndpoint:
    """A directory that is a layout, or that holds layouts: each is a repository, named by its path below."""

    def __init__(self, path: Path) -> None:
        self.stats = Stats()
        self._path = path

    def check(self) -> None:
        if next(self.repositories(), None) is None:
            raise NotFound(f"{shown(str(self._path))} holds no OCI layout. Name a directory with an {INDEX}.")

    def repositories(self) -> Iterator[str]:
        if not self._path.is_dir():
            raise NotFound(f"There is no directory {shown(str(self._path))} here. Check the path.")
        if (self._path / INDEX).is_file():
            yield self._path.resolve().name
            return
        yield from sorted(self._below())

    def tags(self, repository: str) -> Iterator[str]:
        # Some tools keep the whole name of an image where its tag belongs.
        yield from dict.fromkeys(name.rpartition(":")[2] for name in self._layout(repository).tags())

    def source(self, repository: str) -> Source:
        return self._layout(repository)

    def close(self) -> None:
        """Nothing is kept open."""

    def _layout(self, repository: str) -> LayoutSource:
        if repository not in self.repositories():
            raise NotFound(f"{shown(str(self._path))} holds no layout {shown(repository)}. Check the path.")
        single = (self._path / INDEX).is_file()
        return LayoutSource(self._path if single else self._path / repository, name=repository)

    def _below(self) -> list[str]:
        found: list[str] = []
        for directory, names, files in os.walk(self._path):
            relative = Path(directory).relative_to(self._path)
            if INDEX in files:
                found.append(str(relative))
            if INDEX in files or len(relative.parts) >= _LAYOUT_DEPTH or len(found) >= _LAYOUT_LIMIT:
                names.clear()
        return found
