"""One service of a scan, from its tags to one write."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial

from fleet import snapshots
from fleet.image.loading import LoadedImage, ResolvedImage
from fleet.models import Scan, Service
from fleet.oci.errors import RegistryError
from fleet.oci.sources.endpoint import Endpoint
from fleet.oci.sources.source import Source
from fleet.scanning.connection import connect
from fleet.scanning.judging import is_judged, judge, recall, weigh
from fleet.scanning.layers import LayerReader
from fleet.scanning.lifecycle import touch
from fleet.scanning.reading import Sighting, select, sight
from fleet.snapshots import Judgement, Record, Remark

log = logging.getLogger(__name__)

NO_TAGS = "{} holds no tag that counts as a release. Push one, or check the registry's tag pattern."


def scan_service(scan: Scan, service: Service, endpoint: Endpoint | None = None) -> bool:
    """Read one service and write what it showed, errors too; False when this scan had done it before or is over.

    Whatever happens here counts as done: a service that cannot be read must not hold up its scan.
    """
    if scan.status != Scan.Status.RUNNING or service.last_scan_id == scan.pk:
        return False
    try:
        opened = endpoint or connect(service.registry)
    except RegistryError as error:
        return _write(scan, service, Record(remarks=(Remark(str(error)),), failed=True))
    before = opened.stats.requests, opened.stats.received_bytes
    try:
        record = _read(scan, service, opened)
        requests, received_bytes = opened.stats.requests - before[0], opened.stats.received_bytes - before[1]
    finally:
        if endpoint is None:
            opened.close()
    return _write(scan, service, replace(record, requests=requests, received_bytes=received_bytes))


def _write(scan: Scan, service: Service, record: Record) -> bool:
    """A record that cannot be stored is rolled back whole; what remains is that it happened."""
    try:
        return snapshots.write(scan, service, record)
    except Exception as error:  # SQLite's driver raises OverflowError for a number that no column holds
        remark = _unexpected(service, error)
        return snapshots.write(scan, service, Record(remarks=(remark,), failed=True, requests=record.requests))


def reconsider(service: Service) -> bool:
    """Judge a service's newest image again from what is stored, as when its team's Dockerfile arrived; False when its
    layers are not all known, or a scan found a newer image meanwhile."""
    newest = service.snapshot
    if newest is None:
        return False
    with closing(connect(service.registry)) as endpoint, closing(endpoint.source(service.repository)) as source:
        image = recall(newest.image, source.name)
    if image is None:
        return False
    return snapshots.write_judgement(service, judge(service, image))


def _read(scan: Scan, service: Service, endpoint: Endpoint) -> Record:
    try:
        tags = select(service, endpoint)
        if not tags:
            return Record(remarks=(Remark(NO_TAGS.format(service), is_error=False),))
        with closing(endpoint.source(service.repository)) as source:
            return _read_tags(scan, service, source, tags)
    except RegistryError as error:
        return Record(remarks=(Remark(str(error)),), failed=True)
    except Exception as error:
        return Record(remarks=(_unexpected(service, error),), failed=True)


def _read_tags(scan: Scan, service: Service, source: Source, tags: tuple[str, ...]) -> Record:
    sighting = sight(service, source, tags)
    reader = LayerReader(source, partial(touch, scan))
    weighed = {} if source.stores_compressed else _weigh_all(sighting, reader)
    judgement = _judge_newest(service, sighting, reader, weighed)
    return Record(
        tags=tuple(sighting.tags),
        newest=sighting.newest,
        judgement=judgement,
        weighed=weighed,
        remarks=tuple(sighting.remarks),
        skipped=sighting.skipped,
        failed=sighting.failed,
        layers_indexed=reader.indexed,
    )


def _weigh_all(sighting: Sighting, reader: LayerReader) -> dict[str, LoadedImage]:
    """An engine keeps layers uncompressed: what a pull would move is known only after reading them, for every tag."""
    weighed: dict[str, LoadedImage] = {}
    for seen in list(sighting.tags):
        if seen.digest in weighed or not isinstance(seen.image, ResolvedImage):
            continue
        try:
            weighed[seen.digest] = weigh(seen.image, reader)
        except RegistryError as error:
            sighting.tags.remove(seen)
            sighting.remarks.append(Remark(str(error), seen.tag))
    return weighed


def _judge_newest(
    service: Service, sighting: Sighting, reader: LayerReader, weighed: Mapping[str, LoadedImage]
) -> Judgement | None:
    """A judgement where one is due. When it cannot be made the history is kept all the same, and the next scan tries
    again."""
    newest = sighting.newest
    if newest is None or sighting.failed or is_judged(service, newest.image):
        return None
    try:
        return judge(service, weighed.get(newest.digest) or weigh(newest.image, reader))
    except RegistryError as error:
        sighting.remarks.append(Remark(str(error), newest.tag))
    except Exception as error:
        sighting.remarks.append(replace(_unexpected(service, error), tag=newest.tag))
    return None


def _unexpected(service: Service, error: Exception) -> Remark:
    """Our own mistake. Its text may quote anything, so people get its type and the log gets the rest."""
    log.exception("Reading %s failed", service.repository)
    return Remark(f"Reading {service.repository} failed unexpectedly ({type(error).__name__}). The log says more.")
