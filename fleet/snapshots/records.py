"""Values that a scan hands to the writer: what one service showed, and what was made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from fleet.analysis.findings import Analysis
from fleet.dockerfile.suggestion import Obstacle, Suggestion
from fleet.image.loading import LoadedImage, ResolvedImage
from fleet.models import Image, Snapshot

CLOCKS_DIFFER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SeenTag:
    """A tag that is an image. ``image`` is its row where it is stored, else what was just read; ``seen_at`` when it was
    seen to point there, None for just now."""

    tag: str
    head_digest: str
    image: Image | ResolvedImage
    seen_at: datetime | None = None

    @classmethod
    def stored(cls, snapshot: Snapshot) -> SeenTag:
        """As it was last seen."""
        return cls(snapshot.tag, snapshot.head_digest, snapshot.image, snapshot.taken_at)

    @property
    def digest(self) -> str:
        return self.image.digest if isinstance(self.image, Image) else self.image.descriptor.digest

    @property
    def created_at(self) -> datetime | None:
        if isinstance(self.image, Image):
            return self.image.created_at
        return creation_date(self.image)


def creation_date(resolved: ResolvedImage) -> datetime | None:
    """The date in the config; None where it holds none, or one to come: that image would stay the newest for years."""
    created = resolved.config.created
    return created if created and created < timezone.now() + CLOCKS_DIFFER else None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What rules and recipes say of a service's newest image."""

    image: LoadedImage
    analysis: Analysis
    offers: tuple[Suggestion | Obstacle, ...]


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence for the scan's page. ``is_error`` False: it was left out for a good reason."""

    message: str
    tag: str = ""
    is_error: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """All that one scan learned of one service.

    ``tags`` come newest version first, ``newest`` is the one that the service is judged by. ``judgement`` is None
    where the stored one still holds or none could be made. ``weighed`` are images whose layers were read, by digest.
    ``skipped`` are tags that are no images: {tag: [head digest, what it is]}. ``failed``: no tag could be read.
    ``complete`` is False when the scan has to rest before every tag was read: what is here is kept, the service is not
    done, and what is missing here says nothing.

    ``before`` is what was stored of the tags when they were read, which spares asking again where nothing changed.
    ``gone`` are stored tags that the registry holds no more, ``history_left`` counts selected ones that later scans
    will read; None where the listing, or the reading of it, did not end well.
    """

    tags: tuple[SeenTag, ...] = ()
    newest: SeenTag | None = None
    judgement: Judgement | None = None
    weighed: Mapping[str, LoadedImage] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()
    skipped: Mapping[str, list[str]] = field(default_factory=dict)
    failed: bool = False
    complete: bool = True
    before: Mapping[str, Snapshot] | None = None
    gone: frozenset[str] | None = None
    history_left: int | None = None
    layers_indexed: int = 0
    requests: int = 0
    received_bytes: int = 0
