"""Steps 1 to 3 of a service: which tags, where they point, and what is new about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fleet.image.loading import ResolvedImage, resolve_image
from fleet.models import Image, Registry, Service, Snapshot
from fleet.oci.errors import NotFound, RegistryError, UnsupportedMediaType
from fleet.oci.manifest import Platform
from fleet.oci.sources.endpoint import Endpoint
from fleet.oci.sources.source import Source
from fleet.scanning.tags import release_key, select_tags
from fleet.snapshots import Remark, SeenTag


@dataclass(slots=True)
class Sighting:
    """What the tags of a service showed. ``skipped`` as in ``snapshots.Record``; ``unread`` are tags that gave an error
    this time, as they were last seen."""

    tags: list[SeenTag] = field(default_factory=list)
    unread: list[SeenTag] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)

    @property
    def newest(self) -> SeenTag | None:
        """The tag whose image was made last; of several, the highest version. Unread ones count: one bad answer must
        not make an older release the newest."""
        return max((*self.tags, *self.unread), key=lambda seen: release_key(seen.created_at, seen.tag), default=None)

    @property
    def failed(self) -> bool:
        return not self.tags and any(remark.is_error for remark in self.remarks)


def select(service: Service, endpoint: Endpoint) -> tuple[str, ...]:
    """The release tags that make the service's history, newest version first; none for an empty repository."""
    registry = service.registry
    try:
        return select_tags(endpoint.tags(service.repository), registry.tag_pattern, registry.history_tags)
    except NotFound:
        # A repository whose tags were all deleted stays in the catalog and answers 404. A name that an admin typed
        # and that answers 404 is a mistake.
        if registry.listing != Registry.Listing.NAMES:
            return ()
        raise


def sight(service: Service, source: Source, tags: Iterable[str]) -> Sighting:
    """One HEAD a tag; manifest and config where the digest is new. A tag that cannot be read leaves a remark."""
    sighting = Sighting()
    reader = _TagReader(service, source)
    for tag in tags:
        try:
            seen = reader.read(tag)
        except RegistryError as error:
            sighting.remarks.append(Remark(str(error), tag))
            known = reader.last_seen(tag)
            if known and not isinstance(error, NotFound):
                sighting.unread.append(known)
            continue
        if isinstance(seen, SeenTag):
            sighting.tags.append(seen)
        else:
            sighting.skipped[tag] = [seen.digest, seen.what]
            sighting.remarks.append(Remark(seen.what, tag, is_error=False))
    return sighting


@dataclass(frozen=True, slots=True)
class _Skip:
    digest: str
    what: str


class _TagReader:
    """Remembers what the database and earlier tags showed, so that nothing is asked twice."""

    def __init__(self, service: Service, source: Source) -> None:
        self.service = service
        self.source = source
        self.platform = Platform.parse(service.platform)
        self.latest: Mapping[str, Snapshot] = Snapshot.objects.latest_by_tag(service.pk)
        self.read_before: dict[str, ResolvedImage] = {}

    def last_seen(self, tag: str) -> SeenTag | None:
        latest = self.latest.get(tag)
        return SeenTag(tag, latest.head_digest, latest.image) if latest else None

    def read(self, tag: str) -> SeenTag | _Skip:
        digest = self.source.head(tag).digest
        known = self.last_seen(tag)
        if known and known.head_digest == digest:
            return known
        skipped = self.service.skipped.get(tag)
        if skipped and skipped[0] == digest:
            return _Skip(*skipped)
        image = self.read_before.get(digest) or _stored_image(self.service, digest)
        if image is None:
            try:
                image = self.read_before[digest] = resolve_image(self.source, digest, self.platform)
            except UnsupportedMediaType as error:
                return _Skip(digest, str(error))
        return SeenTag(tag, digest, image)


def _stored_image(service: Service, digest: str) -> Image | None:
    """The image behind a digest that a tag of this service pointed to before, or that is an image itself."""
    before = Snapshot.objects.filter(service=service, head_digest=digest).order_by("pk").values("image_id")[:1]
    images = Image.objects.bodiless()
    return images.filter(pk__in=before).first() or images.filter(digest=digest).first()
