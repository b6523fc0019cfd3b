"""The database under test, for processes that a test starts."""

from __future__ import annotations

from pathlib import Path

from django.db import connection


def database_url(directory: Path) -> str:
    """The test's own PostgreSQL, or an SQLite file in ``directory``: the one in memory cannot be shared."""
    if connection.vendor == "sqlite":
        return f"sqlite:///{directory / 'plimsoll.sqlite3'}"
    database = connection.settings_dict
    login = f"{database['USER']}:{database['PASSWORD']}@" if database["USER"] else ""
    host = str(database["HOST"]).replace("/", "%2F")
    port = f":{database['PORT']}" if database["PORT"] else ""
    return f"postgres://{login}{host}{port}/{database['NAME']}"
