"""What changed between two images of a service, told in few causes that add up to the byte.

``grow`` compares files and packages of two images whose layers were read; ``grow_by_layers`` needs manifests and
configs alone. Both find single changes first, put them into a hierarchy (ecosystem → package, directory → file, build
step → hidden file), and cut it where it is most specific and still short (``explaining``).
"""

from fleet.analysis.growth.by_files import grow
from fleet.analysis.growth.by_layers import grow_by_layers, layer_changes
from fleet.analysis.growth.causes import Cause, CauseKind, Change, Growth, LayerChange, PackageChange

__all__ = [
    "Cause",
    "CauseKind",
    "Change",
    "Growth",
    "LayerChange",
    "PackageChange",
    "grow",
    "grow_by_layers",
    "layer_changes",
]
