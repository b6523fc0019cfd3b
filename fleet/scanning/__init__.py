"""The one orchestrator of a scan: all reads, then pure functions, then one write.

1. ``start`` makes the row, unless a scan of the registry is under way.
2. ``discover`` lists the registry's repositories and brings its services in line; a registry that cannot be read ends
   the scan here, with the sentence that says why.
3. ``scan_service``, for each service: HEAD the selected tags. A digest that is known ends there. Else the manifest by
   digest and the config; of the newest image the layers, each read once for the whole fleet. Then analysis,
   suggestions, and one transaction through ``fleet.snapshots``.
4. ``finish`` closes the scan when its last service is done.

Every step is keyed by digest and may be repeated: killed anywhere, a scan resumes without loss or double counting.
Workers hold what they read: a registry's services stand in lanes (``lanes``). A registry that cannot be asked for the
moment makes its scan pause (``lifecycle``), and ``tend`` goes on with what rests or was lost (``tending``).

``run_scan`` does 2 to 4 in this process; ``fleet.tasks`` spreads them over workers. ``reanalyse`` judges anew what is
stored.
"""

from fleet.scanning.comparing import Comparison, compare
from fleet.scanning.connection import connect, logins, try_connection
from fleet.scanning.discovery import discover
from fleet.scanning.lanes import Lane, is_waiting, open_lanes, others_wait
from fleet.scanning.lifecycle import DATABASE_GONE, begin, cancel, fail, finish, resume, start, wake
from fleet.scanning.one_service import read_lane, reconsider, scan_service
from fleet.scanning.pushed import take_pushed
from fleet.scanning.reanalysis import Reanalysis, due, reanalyse
from fleet.scanning.synchronous import Progress, run_scan
from fleet.scanning.tending import tend

__all__ = [
    "DATABASE_GONE",
    "Comparison",
    "Lane",
    "Progress",
    "Reanalysis",
    "begin",
    "cancel",
    "compare",
    "connect",
    "discover",
    "due",
    "fail",
    "finish",
    "is_waiting",
    "logins",
    "open_lanes",
    "others_wait",
    "read_lane",
    "reanalyse",
    "reconsider",
    "resume",
    "run_scan",
    "scan_service",
    "start",
    "take_pushed",
    "tend",
    "try_connection",
    "wake",
]
