"""Steps 1 to 3 of a service: which tags, where they point, and what is new about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from fleet.image.loading import ResolvedImage, resolve_image
from fleet.models import Image, Registry, Service, Snapshot
from fleet.oci.answer import Limits
from fleet.oci.errors import NotFound, RegistryError, Unauthorized, UnsupportedMediaType
from fleet.oci.manifest import Descriptor, Platform
from fleet.oci.sources.endpoint import Endpoint
from fleet.oci.sources.source import Source
from fleet.scanning.lanes import beat
from fleet.scanning.lifecycle import calls_for_rest
from fleet.scanning.tags import FLOATING, Matcher, highest, matcher, newest_first
from fleet.snapshots import Record, Remark, SeenTag

HISTORY_LEFT = "{} of its history {} still to be read. The next scans go on with {}."

# So many tags that were never read may give an error before a scan leaves the rest of them for the next one.
REFUSED_BESIDE = 50

# So many HEADs of one service are under way at a time.
ASKERS = 4
WAIT_SECONDS = 1.0

MOST_TAGS = Limits().names
TOO_MANY_TAGS = "{} has more tags than are read: the first {:,} in the registry's order were looked at."

Skipped = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Selection:
    """The tags that are to be asked for, in this order. ``before`` is what is stored of the service's tags, ``gone``
    those of them that the registry no longer lists, ``skipped`` what is known to be no image and is not asked for
    again."""

    tags: tuple[str, ...]
    before: Mapping[str, Snapshot]
    gone: frozenset[str]
    skipped: Skipped = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()


@dataclass(slots=True)
class Sighting:
    """What the tags of a service showed. ``skipped``, ``before``, ``gone`` and ``history_left`` as in
    ``snapshots.Record``; ``unread`` are tags that gave no answer this time, as they were last seen. ``interrupted`` is
    why the rest was not asked for: the scan has to rest."""

    tags: list[SeenTag] = field(default_factory=list)
    unread: list[SeenTag] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    skipped: Skipped = field(default_factory=dict)
    interrupted: RegistryError | None = None
    before: Mapping[str, Snapshot] | None = None
    gone: frozenset[str] | None = None
    history_left: int | None = None

    @property
    def newest(self) -> SeenTag | None:
        """The tag whose image was made last, as ``tags.newest_first`` tells. Unread ones count: one bad answer must not
        make an older release the newest."""
        return next(newest_first((*self.tags, *self.unread)), None)

    @property
    def failed(self) -> bool:
        return not self.tags and any(remark.is_error for remark in self.remarks)

    def record(self, **made: Any) -> Record:
        """For the writer, with what was made of it."""
        return Record(
            tags=tuple(self.tags),
            newest=self.newest,
            remarks=tuple(self.remarks),
            skipped=self.skipped,
            failed=self.failed,
            before=self.before,
            gone=self.gone,
            history_left=self.history_left,
            **made,
        )


def survey(service: Service, endpoint: Endpoint) -> Selection:
    """List a service's tags and select those that make its history: the registry's ``history_tags`` newest of those
    that its pattern matches. An empty repository selects none.

    By version the highest are the newest. By date nothing is known of a tag before its image was read: so the newest
    of those that were read before are asked again, names such as ``latest`` too, as these move; then those that were
    never read, highest version first, as many as ``sight`` may read in one scan. So the selection is the newest by date
    among what is known, and after some scans everything is.
    """
    registry = service.registry
    before = Snapshot.objects.latest_by_tag(service.pk)
    held, released, is_whole = _listed(service, endpoint, before)
    gone = frozenset(before.keys() - held) if is_whole else frozenset[str]()
    remarks = () if is_whole else (Remark(TOO_MANY_TAGS.format(service, MOST_TAGS), is_error=False),)
    if registry.tag_order != Registry.TagOrder.DATE:
        return Selection(highest(released, registry.history_tags), before, gone, remarks=remarks)
    known = newest_first(SeenTag.stored(before[tag]) for tag in released & before.keys())
    newest = [seen.tag for seen in islice(known, registry.history_tags)]
    moving = released & FLOATING & (before.keys() | service.skipped.keys())
    unknown = released - before.keys() - service.skipped.keys()
    tags = dict.fromkeys((*newest, *sorted(moving), *highest(unknown, len(unknown))))
    skipped = {tag: what for tag, what in service.skipped.items() if tag in released and tag not in tags}
    return Selection(tuple(tags), before, gone, skipped, remarks)


def _listed(service: Service, endpoint: Endpoint, before: Mapping[str, Snapshot]) -> tuple[set[str], set[str], bool]:
    """The stored tags that the registry still holds, and all that count as releases, each once: registries that change
    while they are listed repeat some. And whether that was all: of an endless list the first are read."""
    matches = _matcher(service.registry)
    held: set[str] = set()
    released: set[str] = set()
    count = 0
    try:
        for tag in endpoint.tags(service.repository):
            count += 1
            beat()
            if tag in before:
                held.add(tag)
            if matches(tag):
                released.add(tag)
    except NotFound:
        # A repository whose tags were all deleted stays in the catalog and answers 404. A name that an admin typed
        # and that answers 404 is a mistake.
        if service.registry.listing == Registry.Listing.NAMES or held or released:
            raise
    return held, released, count < MOST_TAGS


def _matcher(registry: Registry) -> Matcher:
    try:
        return matcher(registry.tag_pattern, registry.tag_syntax)
    except ValueError as error:
        raise RegistryError(f"The tag pattern of {registry} cannot be used. {error}") from None


def sight(service: Service, source: Source, selection: Selection) -> Sighting:
    """One HEAD a tag; manifest and config where the digest is new. A tag that cannot be read leaves a remark. Of tags
    that were never read the registry's ``history_per_scan`` are, and later scans go on with the rest."""
    return _Looking(service, source, selection).run()


@dataclass(frozen=True, slots=True)
class _Skip:
    digest: str
    what: str


class _Looking:
    """One look at the selected tags. Remembers what the database and earlier tags showed, so that nothing is asked
    twice."""

    def __init__(self, service: Service, source: Source, selection: Selection) -> None:
        self.service = service
        self.source = source
        self.selection = selection
        self.platform = Platform.parse(service.platform)
        self.read_before: dict[str, ResolvedImage] = {}
        self.heads: Mapping[str, Future[Descriptor]] = {}
        self.sighting = Sighting(before=selection.before, remarks=list(selection.remarks))
        self.missing: set[str] = set()
        # Tags that were never read before: how many were now, and how many gave an error.
        self.found = self.refused = self.left = 0

    def run(self) -> Sighting:
        with ThreadPoolExecutor(ASKERS, "head") as pool:
            try:
                return self.look(pool)
            finally:
                for head in self.heads.values():
                    head.cancel()

    def look(self, pool: ThreadPoolExecutor) -> Sighting:
        waiting = iter(self.selection.tags)
        sighting = self.sighting
        for position, tag in enumerate(waiting):
            if position == 1:  # The first one has shown that there is use in asking.
                self.heads = self.ask_ahead(pool)
            beat()
            if not self.ask(tag):
                sighting.unread += [*self.known(tag), *(seen for rest in waiting for seen in self.known(rest))]
                sighting.skipped = {**self.service.skipped, **sighting.skipped}
                return sighting
        sighting.skipped.update(self.selection.skipped)
        sighting.history_left = self.left
        sighting.gone = self.selection.gone | self.missing
        if self.left:
            words = ("One more tag", "is", "it") if self.left == 1 else (f"{self.left} more tags", "are", "them")
            sighting.remarks.append(Remark(HISTORY_LEFT.format(*words), is_error=False))
        return sighting

    def ask_ahead(self, pool: ThreadPoolExecutor) -> dict[str, Future[Descriptor]]:
        """Known tags are asked for several at a time: of an unchanged service there is nothing else to wait for."""
        if not self.source.stores_compressed:
            return {}
        return {tag: pool.submit(self.source.head, tag) for tag in self.selection.tags[1:] if not self.is_new(tag)}

    def answer(self, tag: str) -> Descriptor:
        """What came of asking ahead. It may have to wait for its turn in the registry's budget."""
        while not self.heads[tag].done():
            wait([self.heads[tag]], timeout=WAIT_SECONDS)
            beat()
        return self.heads[tag].result()

    def is_new(self, tag: str) -> bool:
        return tag not in self.selection.before and tag not in self.service.skipped

    def ask(self, tag: str) -> bool:
        """Look at one tag; False when there is no use in asking for another one now."""
        is_new = self.is_new(tag)
        budget = self.service.registry.history_per_scan
        if is_new and (self.found >= budget or self.refused >= budget + REFUSED_BESIDE):
            self.left += 1
            return True
        digest = ""
        try:
            digest = (self.answer(tag) if tag in self.heads else self.source.head(tag)).digest
            self.note(tag, self.read(tag, digest))
        except RegistryError as error:
            self.refused += is_new
            return self.note_error(tag, error, is_missing=not digest and isinstance(error, NotFound))
        self.found += is_new
        return True

    def note(self, tag: str, seen: SeenTag | _Skip) -> None:
        if isinstance(seen, SeenTag):
            self.sighting.tags.append(seen)
        else:
            self.sighting.skipped[tag] = [seen.digest, seen.what]
            self.sighting.remarks.append(Remark(seen.what, tag, is_error=False))

    def note_error(self, tag: str, error: RegistryError, *, is_missing: bool) -> bool:
        if calls_for_rest(error):
            self.sighting.interrupted = error
            return False
        self.sighting.remarks.append(Remark(str(error), tag, is_error=not isinstance(error, UnsupportedMediaType)))
        if isinstance(error, Unauthorized):
            return False
        if is_missing:
            self.missing.add(tag)
        elif not isinstance(error, NotFound):
            self.sighting.unread += self.known(tag)
            if tag in self.service.skipped:
                self.sighting.skipped[tag] = self.service.skipped[tag]
        return True

    def known(self, tag: str) -> Iterator[SeenTag]:
        """The tag as it was last seen, if it was."""
        latest = self.selection.before.get(tag)
        if latest:
            yield SeenTag.stored(latest)

    def read(self, tag: str, digest: str) -> SeenTag | _Skip:
        known = next(self.known(tag), None)
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
