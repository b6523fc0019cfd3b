"""``manage.py rotate_secrets``, and what a stored secret goes through beside it: lost keys, saves, fixtures."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection

from fleet.management.commands import rotate_secrets
from fleet.models import Registry
from fleet.models.secret import UNREADABLE, is_current
from tests.databases import database_url

pytestmark = pytest.mark.django_db
SECRET, PUSH_SECRET = "hunter2-t0ken", "börse"
REPOSITORY_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def registry() -> Registry:
    return Registry.objects.create(name="Hub", url="https://r.example.com", secret=SECRET, push_secret=PUSH_SECRET)


def run(*arguments: str) -> tuple[int, str, str]:
    output, errors = io.StringIO(), io.StringIO()
    try:
        call_command("rotate_secrets", *arguments, stdout=output, stderr=errors)
    except SystemExit as end:
        return int(end.code or 0), output.getvalue(), errors.getvalue()
    return 0, output.getvalue(), errors.getvalue()


def stored(column: str = "secret") -> list[str]:
    """As the table has it, in the order of the rows."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM fleet_registry ORDER BY id")
        return [str(row[0]) for row in cursor.fetchall()]


def put_key_first(settings: Any) -> str:
    key = Fernet.generate_key().decode()
    settings.PLIMSOLL_SECRET_KEYS = [key, *settings.PLIMSOLL_SECRET_KEYS]
    return key


def lose_keys(settings: Any) -> list[str]:
    lost: list[str] = settings.PLIMSOLL_SECRET_KEYS
    settings.PLIMSOLL_SECRET_KEYS = [Fernet.generate_key().decode()]
    return lost


class TestRotating:
    def test_every_secret_moves_to_the_first_key_and_the_old_one_can_go(
        self, registry: Registry, settings: Any
    ) -> None:
        Registry.objects.create(name="Open", url="https://open.example.com")
        new = put_key_first(settings)
        status, output, errors = run()
        assert (status, errors) == (0, "")
        assert output.startswith("2 secrets rotated, 0 under the first key already, 0 unreadable.")
        assert "remove them from PLIMSOLL_SECRET_KEYS" in output
        settings.PLIMSOLL_SECRET_KEYS = [new]
        registry.refresh_from_db()
        assert (registry.secret, registry.client_key, registry.push_secret) == (SECRET, "", PUSH_SECRET)
        assert stored()[1] == ""

    def test_a_second_run_changes_nothing(self, registry: Registry, settings: Any) -> None:
        put_key_first(settings)
        run()
        before = stored()
        assert run()[1].startswith("0 secrets rotated, 2 under the first key already, 0 unreadable.")
        assert stored() == before

    def test_one_key_is_not_told_to_go(self, registry: Registry) -> None:
        assert "remove" not in run()[1]

    def test_many_batches_are_all_done(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(7):
            secret = SECRET if number % 3 else ""
            Registry.objects.create(name=f"Hub {number}", url="https://r.example.com", secret=secret)
        monkeypatch.setattr(rotate_secrets, "BATCH_ROWS", 2)
        put_key_first(settings)
        assert run()[1].startswith("4 secrets rotated")
        assert all(is_current(each) for each in stored() if each)

    def test_nothing_else_of_a_row_is_written(self, registry: Registry, settings: Any) -> None:
        put_key_first(settings)
        before = Registry.objects.values().get()
        run()
        assert Registry.objects.values().get() == before


class TestUnreadable:
    def test_it_is_named_kept_and_told_by_the_exit_status(self, registry: Registry, settings: Any) -> None:
        keys, before = lose_keys(settings), stored()
        Registry.objects.create(name="Spare\x1b[2J", url="https://spare.example.com", secret=SECRET)
        put_key_first(settings)
        status, output, errors = run()
        assert status == 1
        assert errors.splitlines() == [
            "The password or token of registry Hub cannot be decrypted with any key. Add its key, or enter it again.",
            "The secret of push events of registry Hub cannot be decrypted with any key. "
            "Add its key, or enter it again.",
        ]
        assert output.startswith("1 secret rotated, 0 under the first key already, 2 unreadable.")
        assert "remove" not in output
        assert SECRET not in output + errors
        assert stored()[0] == before[0]
        settings.PLIMSOLL_SECRET_KEYS += keys
        assert run()[0] == 0
        assert Registry.objects.get(name="Hub").secret == SECRET

    def test_saving_the_row_keeps_what_is_stored(self, registry: Registry, settings: Any) -> None:
        keys, before = lose_keys(settings), stored() + stored("push_secret")
        seen = Registry.objects.get()
        assert seen.secret == UNREADABLE
        for each in (seen, copy.deepcopy(seen), pickle.loads(pickle.dumps(seen))):
            each.full_clean()
            each.concurrency += 1
            each.save()
        Registry.objects.bulk_update([seen], ["secret"])
        assert stored() + stored("push_secret") == before
        settings.PLIMSOLL_SECRET_KEYS = keys
        assert Registry.objects.get().secret == SECRET

    def test_entering_it_again_replaces_it(self, registry: Registry, settings: Any) -> None:
        lose_keys(settings)
        seen = Registry.objects.get()
        seen.secret = "another"
        seen.save()
        seen.refresh_from_db()
        assert (seen.secret, seen.push_secret) == ("another", UNREADABLE)

    def test_the_word_for_it_is_never_stored_as_a_secret(self, registry: Registry) -> None:
        registry.secret = UNREADABLE
        with pytest.raises(ValueError, match="is none itself"):
            registry.save()


class TestFixtures:
    def test_a_dump_holds_ciphertext(self, registry: Registry) -> None:
        dumped = io.StringIO()
        call_command("dumpdata", "fleet.registry", stdout=dumped)
        assert SECRET not in dumped.getvalue()
        assert json.loads(dumped.getvalue())[0]["fields"]["secret"].startswith("gAAAA")
        assert json.loads(dumped.getvalue())[0]["fields"]["client_key"] == ""

    @pytest.mark.parametrize("form", ["json", "xml"])
    def test_a_dump_that_is_loaded_gives_the_secret_back(self, registry: Registry, settings: Any, form: str) -> None:
        text = serializers.serialize(form, Registry.objects.all())
        Registry.objects.all().delete()
        put_key_first(settings)
        for each in serializers.deserialize(form, text):
            each.save()
        loaded = Registry.objects.get()
        assert (loaded.secret, loaded.client_key, loaded.push_secret) == (SECRET, "", PUSH_SECRET)
        assert is_current(stored()[0])

    def test_what_no_key_opens_goes_out_and_in_as_it_is(self, registry: Registry, settings: Any) -> None:
        lose_keys(settings)
        before = stored()
        text = serializers.serialize("json", Registry.objects.all())
        assert before[0] in text
        Registry.objects.all().delete()
        for each in serializers.deserialize("json", text):
            each.save()
        assert stored() == before

    def test_a_form_does_not_open_ciphertext(self, registry: Registry) -> None:
        registry.secret = stored()[0]
        with pytest.raises(ValidationError, match="Enter the secret itself"):
            registry.full_clean()


class TestNewKey:
    def test_it_is_printed_alone_with_what_to_do(
        self, registry: Registry, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = stored()
        monkeypatch.delenv("PLIMSOLL_SECRET_KEYS", raising=False)
        monkeypatch.delenv("PLIMSOLL_SECRET_KEYS_FILE", raising=False)
        status, output, errors = run("--new-key")
        assert status == 0
        assert Fernet(output.strip())
        assert output.strip() not in settings.PLIMSOLL_SECRET_KEYS
        assert str(settings.VAR_DIR / "plimsoll_secret_keys.txt") in errors
        assert errors.index("Put this key first") < errors.index("rotate_secrets") < errors.index("Remove the old")
        assert stored() == before

    def test_it_names_where_the_keys_are(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PLIMSOLL_SECRET_KEYS", "x")
        assert "environment variable PLIMSOLL_SECRET_KEYS" in run("--new-key")[2]
        monkeypatch.setenv("PLIMSOLL_SECRET_KEYS_FILE", "/run/secrets/keys")
        assert "in /run/secrets/keys" in run("--new-key")[2]


@pytest.mark.django_db(transaction=True)
def test_what_is_entered_while_secrets_are_rotated_is_kept(tmp_path: Path) -> None:
    """Two real processes on a real database: SQLite's file locks, or PostgreSQL's row locks."""
    environment = {**os.environ, "PLIMSOLL_VAR": str(tmp_path), "DATABASE_URL": database_url(tmp_path)}
    command = [sys.executable, "-m", "tests.fakes.rotate_while_saving"]
    done = subprocess.run(command, env=environment, cwd=REPOSITORY_ROOT, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[0].startswith("1 secret rotated")
    assert done.stdout.splitlines()[-1] == "entered meanwhile"
