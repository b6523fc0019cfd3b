"""RPM's database in its three formats, read without RPM: SQLite, ndb and a hash of Berkeley DB.

Each keeps, whatever else it holds, one header for each package, and nothing but these is looked at. Of indexes, of
pages that are free and of checksums nothing is needed to list what is installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from fleet.image.packages.rpmdb import berkeley, ndb, sqlite

_FORMATS = (sqlite, ndb, berkeley)
_MOST_PACKAGES = 100_000


def read_blobs(content: bytes | bytearray) -> Iterator[bytes]:
    """The headers of the installed packages, undecoded; none when ``content`` is of none of the formats.

    A healthy database uses each of its pages once, and so no more is read than ``content`` has: references that run in
    circles or meet end the reading. Damaged parts are left out.
    """
    for form in _FORMATS:
        if form.matches(content):
            yield from islice(form.read_blobs(content), _MOST_PACKAGES)
            return
