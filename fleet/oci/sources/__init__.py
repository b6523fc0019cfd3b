"""Everything an image can be read from, and how it is opened."""

from fleet.oci.sources.archive import ArchiveSource
from fleet.oci.sources.endpoint import Endpoint, open_endpoint
from fleet.oci.sources.engine import EngineSource
from fleet.oci.sources.layout import LayoutSource
from fleet.oci.sources.opening import open_location
from fleet.oci.sources.source import RegistrySource, Source

__all__ = [
    "ArchiveSource",
    "Endpoint",
    "EngineSource",
    "LayoutSource",
    "RegistrySource",
    "Source",
    "open_endpoint",
    "open_location",
]
