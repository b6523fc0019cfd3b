"""``python -m tests.fakes.rotate_while_saving``: rotates the secrets of the environment's database, which is migrated
first, and has another process enter a new secret in the middle: after the row was read, before it is written. Prints
the secret that is stored in the end."""

from __future__ import annotations

import os
import select
import sys

import django

PATIENCE_SECONDS = 1.0


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleet.settings")
    django.setup()
    from cryptography.fernet import Fernet
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections

    from fleet.management.commands import rotate_secrets
    from fleet.models import Registry

    call_command("migrate", verbosity=0)
    Registry.objects.create(name="Hub", url="https://r.example.com", secret="before")
    settings.PLIMSOLL_SECRET_KEYS = [Fernet.generate_key().decode(), *settings.PLIMSOLL_SECRET_KEYS]
    connections.close_all()
    told, tell = os.pipe()
    saved, save = os.pipe()
    child = os.fork()
    if not child:
        os.read(told, 1)
        Registry.objects.update(secret="entered meanwhile")
        os.write(save, b".")
        os._exit(0)
    rotate = rotate_secrets.rotated

    def rotate_late(ciphertext: str) -> str | None:
        os.write(tell, b".")
        select.select([saved], [], [], PATIENCE_SECONDS)
        return rotate(ciphertext)

    rotate_secrets.rotated = rotate_late
    call_command("rotate_secrets")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(Registry.objects.get().secret)
    return status


if __name__ == "__main__":
    sys.exit(main())
