"""One service of a scan, from its tags to one write."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace

from fleet import snapshots
from fleet.image.loading import LoadedImage, ResolvedImage
from fleet.models import Scan, Service
from fleet.oci.errors import RegistryError
from fleet.oci.manifest import Descriptor
from fleet.oci.sources.endpoint import Endpoint
from fleet.oci.sources.source import Source
from fleet.scanning import budget
from fleet.scanning.comparing import compare_read
from fleet.scanning.connection import connect
from fleet.scanning.judging import attested, is_judged, judge, recall, weigh
from fleet.scanning.lanes import Lane, Unwatched, Watch, beat, next_in, watched_by
from fleet.scanning.layers import LayerReader
from fleet.scanning.lifecycle import DATABASE_GONE, ScanOver, calls_for_rest, pause
from fleet.scanning.reading import Selection, Sighting, sight, survey
from fleet.snapshots import Judgement, Record, Remark

log = logging.getLogger(__name__)

NO_TAGS = "{} holds no tag that counts as a release. Push one, or check the registry's tag pattern."


def read_lane(scan: Scan, lane: Lane, may_go_on: Callable[[], bool]) -> bool:
    """Read the services of a lane one after the other, over one connection, while ``may_go_on`` says so; whether some
    are left that can be read now."""
    service = next_in(scan, lane.number)
    if service is None:
        return False
    try:
        endpoint = connect(scan.registry)
    except RegistryError as error:
        return snapshots.write(scan, service, Record(remarks=(Remark(str(error)),), failed=True))
    with closing(endpoint):
        while service is not None:
            try:
                scan_service(scan, service, endpoint, lane)
            except ScanOver:
                return False
            scan.refresh_from_db()
            if scan.status != Scan.Status.RUNNING:
                return False
            service = next_in(scan, lane.number)
            if not may_go_on():
                break
    return service is not None


def scan_service(scan: Scan, service: Service, endpoint: Endpoint | None = None, watch: Watch | None = None) -> bool:
    """Read one service and write what it showed, errors too; False when it is not done by that: this scan had done it
    before, is over, or has to rest. Raises ScanOver when it ended meanwhile.

    Whatever else happens here counts as done: a service that cannot be read must not hold up its scan.
    """
    if scan.status != Scan.Status.RUNNING or (scan.service_id is None and service.last_scan_id == scan.pk):
        return False
    try:
        opened = endpoint or connect(service.registry)
    except RegistryError as error:
        return _write(scan, service, Record(remarks=(Remark(str(error)),), failed=True))
    reading = _Reading(scan, service, opened, watch or Unwatched())
    try:
        record = reading.run()
    except ScanOver:
        snapshots.count_traffic(scan, *reading.traffic())
        raise
    finally:
        budget.note_limit(service.registry_id)
        if endpoint is None:
            opened.close()
    if reading.interrupted and pause(scan, reading.interrupted, service):
        _write(scan, service, replace(record, complete=False, newest=None, judgement=None, remarks=()))
        return False
    written = _write(scan, service, record)
    if written:
        with watched_by(reading.watch):
            compare_read(service, record)
    return written


def _write(scan: Scan, service: Service, record: Record) -> bool:
    """A record that cannot be stored is rolled back whole; what remains is that it happened."""
    try:
        return snapshots.write(scan, service, record)
    except DATABASE_GONE:
        raise
    except Exception as error:  # SQLite's driver raises OverflowError for a number that no column holds
        remark = _unexpected(service, error)
        return snapshots.write(scan, service, Record(remarks=(remark,), failed=True, requests=record.requests))


def reconsider(service: Service) -> bool:
    """Judge a service's newest image again from what is stored, as when its team's Dockerfile arrived; False when its
    layers are not all known, or a scan found a newer image meanwhile."""
    newest = service.snapshot
    if newest is None:
        return False
    try:
        with closing(connect(service.registry)) as endpoint, closing(endpoint.source(service.repository)) as source:
            image = recall(newest.image, source.name)
    except RegistryError:  # The next scan of the service says what is wrong.
        return False
    if image is None:
        return False
    return snapshots.write_judgement(service, judge(service, image))


class _Reading:
    """One service being read. ``interrupted`` is the error that calls for a rest, where there was one."""

    def __init__(self, scan: Scan, service: Service, endpoint: Endpoint, watch: Watch) -> None:
        self.scan = scan
        self.service = service
        self.endpoint = endpoint
        self.watch = watch
        self.interrupted: RegistryError | None = None
        self.tags = 0
        self.reader: LayerReader | None = None
        self._before = endpoint.stats.requests, endpoint.stats.received_bytes

    def counts(self) -> dict[str, int]:
        """What was done so far, for those who watch."""
        requests, received_bytes = self.traffic()
        layers = self.reader.indexed if self.reader else 0
        return {"tags": self.tags, "layers": layers, "requests": requests, "received_bytes": received_bytes}

    def run(self) -> Record:
        """Raises ScanOver, and what the database raises when it is gone."""
        self.watch.reads(self.service, self.counts)
        with watched_by(self.watch):
            record = self._read()
        requests, received_bytes = self.traffic()
        return replace(record, requests=requests, received_bytes=received_bytes)

    def traffic(self) -> tuple[int, int]:
        """Requests and bytes of this service."""
        stats, (requests, received_bytes) = self.endpoint.stats, self._before
        return stats.requests - requests, stats.received_bytes - received_bytes

    def _read(self) -> Record:
        try:
            selection = survey(self.service, self.endpoint)
            with closing(self.endpoint.source(self.service.repository)) as source:
                return self._read_tags(_Watched(source, self), selection)
        except (ScanOver, *DATABASE_GONE):
            raise
        except RegistryError as error:
            if calls_for_rest(error):
                self.interrupted = error
            return Record(remarks=(Remark(str(error)),), failed=True)
        except Exception as error:
            return Record(remarks=(_unexpected(self.service, error),), failed=True)

    def _read_tags(self, source: Source, selection: Selection) -> Record:
        sighting = sight(self.service, source, selection)
        reader = self.reader = LayerReader(source, beat)
        weighed: dict[str, LoadedImage] = {}
        if sighting.interrupted:
            self.interrupted = sighting.interrupted
            sighting.remarks.append(Remark(str(sighting.interrupted)))
        elif not selection.tags:
            sighting.remarks.append(Remark(NO_TAGS.format(self.service), is_error=False))
        if not source.stores_compressed:
            weighed = self._weigh_all(sighting, reader)
        judgement = self._judge_newest(sighting, reader, weighed)
        return sighting.record(judgement=judgement, weighed=weighed, layers_indexed=reader.indexed)

    def _weigh_all(self, sighting: Sighting, reader: LayerReader) -> dict[str, LoadedImage]:
        """An engine keeps layers uncompressed: what a pull would move is known only after reading them, for every tag.
        A tag whose image was not weighed is left for the next scan."""
        weighed: dict[str, LoadedImage] = {}
        for seen in list(sighting.tags):
            if seen.digest in weighed or not isinstance(seen.image, ResolvedImage):
                continue
            if not self.interrupted:
                try:
                    weighed[seen.digest] = weigh(seen.image, reader)
                    continue
                except RegistryError as error:
                    self._note(sighting, seen.tag, error)
            sighting.tags.remove(seen)
        return weighed

    def _judge_newest(
        self, sighting: Sighting, reader: LayerReader, weighed: Mapping[str, LoadedImage]
    ) -> Judgement | None:
        """A judgement where one is due. When it cannot be made the history is kept all the same, and the next scan
        tries again."""
        newest = sighting.newest
        if newest is None or sighting.failed or self.interrupted or is_judged(self.service, newest.image):
            return None
        try:
            image = weighed.get(newest.digest) or weigh(newest.image, reader)
            return judge(self.service, attested(newest, image, reader.source))
        except (ScanOver, *DATABASE_GONE):
            raise
        except RegistryError as error:
            self._note(sighting, newest.tag, error)
        except Exception as error:
            sighting.remarks.append(replace(_unexpected(self.service, error), tag=newest.tag))
        return None

    def _note(self, sighting: Sighting, tag: str, error: RegistryError) -> None:
        sighting.remarks.append(Remark(str(error), tag))
        if calls_for_rest(error):
            self.interrupted = self.interrupted or error


class _Watched:
    """A source that shows its reader's progress between its questions."""

    def __init__(self, source: Source, reading: _Reading) -> None:
        self.name = source.name
        self._source = source
        self._reading = reading

    @property
    def stores_compressed(self) -> bool:
        return self._source.stores_compressed

    def head(self, reference: str) -> Descriptor:
        beat()
        found = self._source.head(reference)
        self._reading.tags += 1
        return found

    def manifest(self, reference: str) -> tuple[Descriptor, bytes]:
        beat()
        return self._source.manifest(reference)

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        beat()
        return self._source.blob(descriptor)

    def close(self) -> None:
        self._source.close()


def _unexpected(service: Service, error: Exception) -> Remark:
    """Our own mistake. Its text may quote anything, so people get its type and the log gets the rest."""
    log.exception("Reading %s failed", service.repository)
    return Remark(f"Reading {service.repository} failed unexpectedly ({type(error).__name__}). The log says more.")
