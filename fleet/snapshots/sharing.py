"""Which bytes a service has for itself, and which it shares: what deleting it would free.

Registries keep a blob once: across the registry, within a project or within a repository (``Registry.sharing``).
Counted are the layers and configs of the tags that hold now, as far as they are read; others in the registry may hold
on to the same layers.

1. The layers of all current tags are read as (service, layer) pairs, each once, in order.
2. A layer that a second service of the same scope uses is shared, every other one is its service's alone.
3. The sums go into the services' rows, what is shared into ``LayerUse``, the registry's own totals into its row.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import islice

from django.db import transaction

from fleet.models import ImageLayer, LayerUse, Registry, Service, Snapshot

CHUNK = 500
_SHARES = ("unique_bytes", "shared_bytes")

_Blob = tuple[str, int]  # scope, and the key of a layer, or that of an image (negative) for its config


def weigh_sharing(registry: Registry) -> None:
    """Bring the shares of a registry's services in line with its tags. May be called twice, and at the same time."""
    weighing = _Weighing(registry)
    weighing.read()
    weighing.write()


class _Weighing:
    """The blobs of one registry: how many services use each, and how many bytes it has."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        present = Service.objects.filter(registry=registry, gone_at__isnull=True).order_by("pk")
        self.scopes = {
            key: registry.scope_of(repository) for key, repository in present.values_list("pk", "repository")
        }
        self.users: Counter[_Blob] = Counter()
        self.bytes: dict[_Blob, int] = {}
        self.used: dict[int, list[_Blob]] = defaultdict(list)
        self.pulled_bytes = 0

    def read(self) -> None:
        for service, blob, size_bytes in self.blobs():
            found = (self.scopes[service], blob)
            self.users[found] += 1
            self.bytes[found] = size_bytes
            self.used[service].append(found)

    def blobs(self) -> Iterator[tuple[int, int, int]]:
        """(service, blob, its compressed bytes), each pair once; services in chunks, so that no answer is endless."""
        keys = iter(self.scopes)
        while chunk := list(islice(keys, CHUNK)):
            current = Snapshot.objects.filter(service__in=chunk).current()
            images = list(current.values_list("service_id", "image_id", "compressed_bytes"))
            self.pulled_bytes += sum(size_bytes for _, _, size_bytes in images)
            yield from _blobs_of(set(images))

    def write(self) -> None:
        self.write_uses()
        self.write_services()
        Registry.objects.filter(pk=self.registry.pk).update(
            stored_bytes=sum(self.bytes.values()), pulled_bytes=self.pulled_bytes
        )

    def write_uses(self) -> None:
        """Another weighing may write the same meanwhile."""
        rows = (
            LayerUse(registry=self.registry, scope=scope, layer_id=blob, services=count)
            for (scope, blob), count in self.users.items()
            if count > 1 and blob > 0
        )
        with transaction.atomic():
            LayerUse.objects.filter(registry=self.registry).delete()
            LayerUse.objects.bulk_create(rows, batch_size=CHUNK, ignore_conflicts=True)

    def write_services(self) -> None:
        """Only what changed, which is little, and a chunk a transaction: scans write these rows too, and lock them in
        the same order."""
        for keys in _chunks(list(self.scopes)):
            known = Service.objects.filter(pk__in=keys).order_by("pk").values_list("pk", *_SHARES)
            changed = {key: now for key, *before in known if tuple(before) != (now := self.shares(key))}
            with transaction.atomic():
                for row in (
                    Service.objects.filter(pk__in=changed).order_by("pk").select_for_update(no_key=True).only("pk")
                ):
                    Service.objects.filter(pk=row.pk).update(**dict(zip(_SHARES, changed[row.pk], strict=True)))

    def shares(self, service: int) -> tuple[int | None, int | None]:
        """``_SHARES`` of a service; None where no tag of it holds."""
        blobs = self.used.get(service)
        if not blobs:
            return None, None
        shared_bytes = sum(self.bytes[blob] for blob in blobs if self.users[blob] > 1)
        return sum(self.bytes[blob] for blob in blobs) - shared_bytes, shared_bytes


def _blobs_of(images: set[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """The layers of the images of services, and what else each image has: its config."""
    services: dict[int, set[int]] = defaultdict(set)
    rest = {}
    for service, image, size_bytes in images:
        services[image].add(service)
        rest[image] = size_bytes
    seen: set[tuple[int, int]] = set()
    for keys in _chunks(list(services)):
        stacks = ImageLayer.objects.filter(image__in=keys).order_by()
        for image, layer, size_bytes in stacks.values_list("image_id", "layer_id", "layer__compressed_bytes"):
            rest[image] -= size_bytes
            for service in services[image]:
                if (service, layer) not in seen:
                    seen.add((service, layer))
                    yield service, layer, size_bytes
    for image, size_bytes in rest.items():
        for service in services[image]:
            yield service, -image, max(size_bytes, 0)


def _chunks(keys: list[int]) -> Iterator[list[int]]:
    return (keys[at : at + CHUNK] for at in range(0, len(keys), CHUNK))
