"""``manage.py prune_indexes``: drop the layer indexes that no kept image needs, as beat has done once a day."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.template.defaultfilters import pluralize

from fleet import snapshots
from fleet.management.terminal import bytes_for_people


class Command(BaseCommand):
    help = (
        "Drops the lists of files of layers that no kept image needs: neither a service's newest images "
        "(PLIMSOLL_INDEXED_IMAGES) nor a base. Workers do it once a day."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        pruned = snapshots.prune_indexes(settings.INDEXED_IMAGES)
        count = f"{pruned.layers} layer index{pluralize(pruned.layers, 'es')}"
        self.stdout.write(f"{count} dropped, {bytes_for_people(pruned.index_bytes)} of the database.")
