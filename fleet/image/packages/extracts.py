"""Package databases that are read while their layer passes, of which lines of JSON are kept instead of the content.

They would fill the stored index with checksums that nothing asks for: an RPM database reaches 150 MB, the records of a
conda environment 100 MB together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fleet.image.packages import conda, rpm

Extract = Callable[[bytearray], Iterator[bytes]]

# A database has to be in memory as a whole, since its pages point back and forth: its size is what it costs.
_LARGEST_DATABASE = 160 << 20
# A record is parsed as JSON, where hostile text becomes twenty times its size.
_LARGEST_RECORD = 8 << 20
# Of lines: twice what three thousand packages need. Lines beyond are left out.
MOST_BYTES = 16 << 20
_RPM_DATABASES = frozenset(rpm.DATABASES)


def extract_for(path: str, size: int) -> Extract | None:
    """What makes lines of a file of ``size`` bytes at ``path`` (no leading slash); None for one that is no such
    database, or too large for one."""
    if path.endswith(".json"):
        return conda.extract if size <= _LARGEST_RECORD and conda.is_record(path) else None
    return rpm.extract if size <= _LARGEST_DATABASE and path in _RPM_DATABASES else None
