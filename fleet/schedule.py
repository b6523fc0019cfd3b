"""A registry's schedule as a row that beat reads.

``fleet.beat`` notices a saved or deleted PeriodicTask within ``CELERY_BEAT_MAX_LOOP_INTERVAL``.
"""

from __future__ import annotations

import json

from django.db import transaction
from django_celery_beat.models import PeriodicTask

from fleet.models import Registry

TASK = "fleet.tasks.scan_registry"
QUEUE = "discovery"


def sync_schedule(registry: Registry) -> PeriodicTask | None:
    """Make, change or remove the task that scans a registry; call it after saving the registry. Gives the task."""
    if registry.crontab_id is None and registry.interval_id is None:
        remove_schedule(registry)
        return None
    with transaction.atomic():
        task = registry.periodic_task or PeriodicTask()
        task.name = f"Scan {registry.name} ({registry.pk})"
        task.task = TASK
        task.queue = QUEUE
        task.args = json.dumps([registry.pk])
        task.crontab = registry.crontab
        task.interval = registry.interval
        task.enabled = registry.enabled
        task.save()
        if registry.periodic_task_id != task.pk:
            registry.periodic_task = task
            registry.save(update_fields=["periodic_task"])
    return task


def remove_schedule(registry: Registry) -> None:
    """Remove the task of a registry that lost its schedule, or is about to be deleted."""
    task = registry.periodic_task
    if task is not None:
        registry.periodic_task = None
        task.delete()
