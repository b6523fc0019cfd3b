"""``manage.py rotate_secrets``: puts every stored secret under the first key, so that older keys can be removed."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cryptography.fernet import Fernet
from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction
from django.db.models import ExpressionWrapper, F, TextField, Value
from django.template.defaultfilters import pluralize

from fleet.models.secret import SecretField, is_current, rotated
from fleet.oci.wording import shown

BATCH_ROWS = 100
NOT_DONE = 1
SETTING = "PLIMSOLL_SECRET_KEYS"


@dataclass
class Count:
    rotated: int = 0
    current: int = 0
    unreadable: list[str] = field(default_factory=list)


class Command(BaseCommand):
    help = (
        f"Encrypts every stored secret with the first key of {SETTING}. May be run at any time and again. "
        "Exit status: 0 done, 1 where a secret cannot be decrypted with any key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--new-key", action="store_true", help="print a new key, and how to put it first, and change nothing"
        )

    def handle(self, *args: Any, new_key: bool = False, **options: Any) -> None:
        if new_key:
            self._print_new_key()
            return
        count = Count()
        for column in _secret_fields():
            _rotate(column, count)
        for name in count.unreadable:
            self.stderr.write(f"{name} cannot be decrypted with any key. Add its key, or enter it again.")
        self.stdout.write(
            f"{count.rotated} secret{pluralize(count.rotated)} rotated, {count.current} under the first key already, "
            f"{len(count.unreadable)} unreadable."
        )
        if count.unreadable:
            sys.exit(NOT_DONE)
        if len(settings.PLIMSOLL_SECRET_KEYS) > 1:
            self.stdout.write(f"No other key is needed any more: remove them from {SETTING}.")

    def _print_new_key(self) -> None:
        """The key alone on stdout, for a script; what to do with it on stderr."""
        self.stdout.write(Fernet.generate_key().decode())
        self.stderr.write(
            f"1. Put this key first, with a comma after it, {_place()}.\n"
            "2. Restart every process, so that all of them know both keys.\n"
            "3. Run manage.py rotate_secrets.\n"
            "4. Remove the old keys, and restart every process again."
        )


def _place() -> str:
    """Where ``fleet.settings`` took the keys from."""
    if path := os.environ.get(f"{SETTING}_FILE"):
        return f"in {path}"
    if os.environ.get(SETTING):
        return f"in the environment variable {SETTING}, on every machine"
    return f"in {settings.VAR_DIR / f'{SETTING.lower()}.txt'}"


def _secret_fields() -> Iterator[SecretField[Any, Any]]:
    """Of every table, each once: a table's own columns, none that a proxy or a child borrows."""
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy:
            yield from (field for field in model._meta.local_concrete_fields if isinstance(field, SecretField))


def _rotate(column: SecretField[Any, Any], count: Count) -> None:
    """Batch by batch, each locked: who saves one of its rows meanwhile waits, and no secret that was entered meanwhile
    is overwritten with the one before."""
    last = None
    while batch := _rotate_batch(column, last, count):
        last = batch[-1]


def _rotate_batch(column: SecretField[Any, Any], last: Any, count: Count) -> list[Any]:
    """The keys of the rows that follow ``last``. Reads and writes what is stored, past the field's own conversion."""
    table = column.model._base_manager
    stored = ExpressionWrapper(F(column.attname), output_field=TextField())
    rows = table.annotate(stored=stored).filter(stored__gt="").order_by("pk")
    with transaction.atomic():
        following = rows if last is None else rows.filter(pk__gt=last)
        batch = list(following.select_for_update().values_list("pk", "stored")[:BATCH_ROWS])
        for key, ciphertext in batch:
            if is_current(ciphertext):
                count.current += 1
            elif fresh := rotated(ciphertext):
                table.filter(pk=key).update(**{column.attname: Value(fresh, output_field=TextField())})
                count.rotated += 1
            else:
                count.unreadable.append(_named(column, key))
    return [key for key, _ in batch]


def _named(column: SecretField[Any, Any], key: Any) -> str:
    row = column.model._base_manager.get(pk=key)
    return f"The {column.verbose_name} of {column.model._meta.verbose_name} {shown(str(row))}"
