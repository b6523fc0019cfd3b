"""``python -m tests.fakes.scan_at_once URL REPOSITORY…``: as many processes as repositories, each scanning its own at
the same time. The database is that of the environment and is migrated first. Exit status 0 when every scan is done."""

from __future__ import annotations

import os
import sys

import django


def main(url: str, *repositories: str) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleet.settings")
    django.setup()
    from django.core.management import call_command
    from django.db import connections

    from fleet.models import Registry

    call_command("migrate", verbosity=0)
    for repository in repositories:
        Registry.objects.create(name=repository, url=url, include=repository)
    connections.close_all()
    children = [_scan(repository) for repository in repositories]
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


def _scan(name: str) -> int:
    from django.core.management import call_command

    child = os.fork()
    if child:
        return child
    status = 70
    try:
        call_command("scan", name)
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
