"""From a location that a person wrote to a source that can be read."""

from __future__ import annotations

from fleet.oci.client import RegistryClient
from fleet.oci.credentials import from_docker_config
from fleet.oci.reference import ArchiveLocation, EngineLocation, LayoutLocation, Location
from fleet.oci.sources.archive import ArchiveSource
from fleet.oci.sources.engine import EngineSource, split_name
from fleet.oci.sources.layout import LayoutSource
from fleet.oci.sources.source import RegistrySource, Source


def open_location(location: Location, *, plain_http: bool = False, login: bool = True) -> tuple[Source, str]:
    """The source, to be closed by the caller, and the reference to ask it for. Logins come from Docker's config, unless
    ``login`` says that this registry is to see none."""
    if isinstance(location, EngineLocation):
        name, reference = split_name(location.name)
        return EngineSource(name), reference
    if isinstance(location, LayoutLocation):
        return LayoutSource(location.path), location.tag or ""
    if isinstance(location, ArchiveLocation):
        return ArchiveSource(location.path), location.tag or ""
    credentials = from_docker_config(location.registry) if login else None
    client = RegistryClient(location.registry, credentials=credentials, plain_http=plain_http)
    return RegistrySource(client, location.repository, owns_client=True), location.target
