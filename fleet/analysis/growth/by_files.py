"""Two images whose layers were read, compared version by version.

A version is a path as one layer brought it, whether containers see it or a later layer hides it: it is pulled either
way. Every version counts exactly once, as what is gone or as what is new. Layers that both images have weigh the same
in both and are left out at once. So are versions that the other image has too, with the same content: only their shares
of the blobs differ, where other neighbours were compressed with them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from fleet.analysis.growth.causes import Change, Growth, PackageChange
from fleet.analysis.growth.explaining import explain
from fleet.analysis.growth.hierarchy import Group, Hierarchy
from fleet.analysis.growth.labels import (
    common_directory,
    package_detail,
    package_label,
    path_label,
    versions_text,
)
from fleet.analysis.growth.sides import PackageKey, Side, Version, content_key, is_known, is_same, leave_out_shared
from fleet.image.loading import LoadedImage
from fleet.image.packages.package import Package
from fleet.image.sizes import Sizes

UNCHANGED = "Files that did not change, compressed anew"
MOVED = "Files that moved, compressed anew"
CONFIG = "Image config"
PADDING = "Directories, whiteouts and padding of layers"


def grow(
    before: LoadedImage, after: LoadedImage, before_packages: Iterable[Package], after_packages: Iterable[Package]
) -> Growth:
    """What changed between two images, given the packages of each (``fleet.image.packages.read_packages``). The causes
    add up exactly to ``after.sizes - before.sizes``; nothing is read again."""
    old, new = Side.of(before, before_packages), Side.of(after, after_packages)
    leave_out_shared(old, new)
    comparison = _Comparison(old, new)
    comparison.compare()
    delta = after.sizes - before.sizes
    hierarchy = comparison.hierarchy()
    comparison.add_rest(hierarchy, delta)
    return Growth(
        delta,
        explain(hierarchy),
        by_files=True,
        packages=tuple(comparison.package_changes()),
        moved_files=comparison.moved,
    )


@dataclass(slots=True, eq=False)
class _Weight:
    """What became of one package, path or hidden path: the bytes that came less those that went."""

    unpacked_bytes: int = 0
    compressed_bytes: int = 0
    came: bool = False
    went: bool = False
    low: str = ""
    high: str = ""
    layer: str = ""

    @property
    def change(self) -> Change:
        return "changed" if self.came == self.went else "added" if self.came else "removed"

    def note(self, version: Version, compressed_bytes: int, sign: int) -> None:
        path = version.entry.path
        self.unpacked_bytes += sign * version.entry.size_bytes
        self.compressed_bytes += sign * compressed_bytes
        if sign > 0:
            self.came = True
        else:
            self.went = True
        self.low = min(self.low or path, path)
        self.high = max(self.high, path)


class _Comparison:
    """Versions that only one image has, weighed by what they belong to."""

    def __init__(self, old: Side, new: Side) -> None:
        self.old = old
        self.new = new
        self.packages: dict[PackageKey, _Weight] = defaultdict(_Weight)
        self.files: dict[str, _Weight] = defaultdict(_Weight)
        self.hidden: dict[tuple[str, str], _Weight] = defaultdict(_Weight)
        self.unchanged_bytes = 0
        self.moved_bytes = 0
        self.moved = 0

    def compare(self) -> None:
        gone, come = self._cancel_live()
        gone_hidden, come_hidden = self._cancel_hidden()
        loose_gone = [*self._weigh_packaged(self.old, gone, -1), *gone_hidden]
        loose_come = [*self._weigh_packaged(self.new, come, +1), *come_hidden]
        loose_gone, loose_come = self._cancel_moved(loose_gone, loose_come)
        for side, versions, sign in ((self.old, loose_gone, -1), (self.new, loose_come, +1)):
            for version in versions:
                self._weigh_loose(side, version, sign)

    def _cancel_live(self) -> tuple[list[Version], list[Version]]:
        """What containers see of only one image; the same content at the same path is no change."""
        gone = {version.entry.path: version for version in self.old.live()}
        come: list[Version] = []
        for version in self.new.live():
            same = gone.get(version.entry.path)
            if same is not None and is_same(same.entry, version.entry):
                del gone[version.entry.path]
                self.unchanged_bytes += self._share_difference(same, version)
            else:
                come.append(version)
        return list(gone.values()), come

    def _cancel_hidden(self) -> tuple[list[Version], list[Version]]:
        gone: dict[Hashable, list[Version]] = defaultdict(list)
        for version in self.old.hidden():
            gone[content_key(version.entry)].append(version)
        come: list[Version] = []
        for version in self.new.hidden():
            same = gone.get(content_key(version.entry))
            if same:
                self.unchanged_bytes += self._share_difference(same.pop(), version)
            else:
                come.append(version)
        return list(chain.from_iterable(gone.values())), come

    def _cancel_moved(self, gone: list[Version], come: list[Version]) -> tuple[list[Version], list[Version]]:
        """The same content at another path, or hidden where it was seen: it weighs what it weighed."""
        by_content: dict[tuple[int, int], list[Version]] = defaultdict(list)
        for version in reversed(gone):
            by_content[version.entry.size_bytes, version.entry.fingerprint].append(version)
        left: list[Version] = []
        for version in come:
            entry = version.entry
            same = by_content.get((entry.size_bytes, entry.fingerprint)) if is_known(entry) else None
            if same:
                self.moved_bytes += self._share_difference(same.pop(), version)
                self.moved += 1
            else:
                left.append(version)
        return list(chain.from_iterable(by_content.values())), left

    def _share_difference(self, gone: Version, come: Version) -> int:
        return self.new.compressed_bytes(come) - self.old.compressed_bytes(gone)

    def _weigh_packaged(self, side: Side, versions: Iterable[Version], sign: int) -> Iterator[Version]:
        """Gives back what belongs to no package."""
        for version in versions:
            owner = side.owners.get(version.entry.path)
            if owner is None:
                yield version
            else:
                self.packages[owner].note(version, side.compressed_bytes(version), sign)

    def _weigh_loose(self, side: Side, version: Version, sign: int) -> None:
        step = side.steps[version.layer] or f"Layer {version.layer}"
        path = version.entry.path
        weight = self.hidden[step, path] if version.is_hidden else self.files[path]
        weight.note(version, side.compressed_bytes(version), sign)
        weight.layer = step

    def hierarchy(self) -> Hierarchy:
        """Everything that changed but for what ``add_rest`` adds."""
        hierarchy = Hierarchy()
        self._add_packages(hierarchy)
        self._add_files(hierarchy)
        self._add_hidden(hierarchy)
        return hierarchy

    def _add_packages(self, hierarchy: Hierarchy) -> None:
        above = hierarchy.add(hierarchy.root, "package", "")
        ecosystems: dict[str, Group] = {}
        for key, weight in sorted(self.packages.items()):
            ecosystem, name = key
            group = ecosystems.get(ecosystem)
            if group is None:
                group = ecosystems[ecosystem] = hierarchy.add(above, "package", ecosystem)
            before, after = self._versions_of(key)
            detail = package_detail(ecosystem, common_directory(weight.low, weight.high))
            change = hierarchy.add_change(
                group, "package", package_label(name, before, after), weight.unpacked_bytes, weight.compressed_bytes,
                _presence(before, after), detail,
            )  # fmt: skip
            if change is not None:
                change.low, change.high = weight.low, weight.high

    def _versions_of(self, key: PackageKey) -> tuple[str, str]:
        return versions_text(self.old.packages.get(key, ())), versions_text(self.new.packages.get(key, ()))

    def _add_files(self, hierarchy: Hierarchy) -> None:
        directories = {"": hierarchy.add(hierarchy.root, "files", "")}
        for path, weight in sorted(self.files.items()):
            group = _directory(hierarchy, directories, path.rpartition("/")[0])
            was, stays = self.old.has(path), self.new.has(path)
            change: Change = "changed" if was == stays else "added" if stays else "removed"
            hierarchy.add_change(
                group, "files", path_label(path), weight.unpacked_bytes, weight.compressed_bytes, change, weight.layer
            )

    def _add_hidden(self, hierarchy: Hierarchy) -> None:
        above = hierarchy.add(hierarchy.root, "hidden", "")
        steps: dict[str, Group] = {}
        for (step, path), weight in sorted(self.hidden.items()):
            group = steps.get(step)
            if group is None:
                group = steps[step] = hierarchy.add(above, "hidden", step)
            label = f"{path_label(path)}, hidden by a later layer"
            change = hierarchy.add_change(
                group, "hidden", label, weight.unpacked_bytes, weight.compressed_bytes, weight.change, step
            )
            if change is not None:
                change.low = change.high = path

    def add_rest(self, hierarchy: Hierarchy, delta: Sizes) -> None:
        """What belongs to no file that changed, and whatever is left of the whole difference."""
        configs = self.new.image.manifest.config.size_bytes - self.old.image.manifest.config.size_bytes
        told = Sizes(0, self.unchanged_bytes + self.moved_bytes + configs)
        for weight in chain(self.packages.values(), self.files.values(), self.hidden.values()):
            told += Sizes(weight.unpacked_bytes, weight.compressed_bytes)
        left = delta - told
        rest = hierarchy.add(hierarchy.root, "rest", "rest")
        hierarchy.add_change(rest, "rest", UNCHANGED, 0, self.unchanged_bytes)
        hierarchy.add_change(rest, "rest", MOVED, 0, self.moved_bytes)
        hierarchy.add_change(rest, "rest", CONFIG, 0, configs)
        hierarchy.add_change(rest, "rest", PADDING, left.unpacked_bytes, left.compressed_bytes)

    def package_changes(self) -> list[PackageChange]:
        """Packages that came, went, have another version, or other files; largest compressed change first."""
        found: list[PackageChange] = []
        nothing = _Weight()
        for key in {**self.old.packages, **self.new.packages}:
            weight = self.packages.get(key, nothing)
            has_same_versions = Counter(self.old.packages.get(key, ())) == Counter(self.new.packages.get(key, ()))
            delta = Sizes(weight.unpacked_bytes, weight.compressed_bytes)
            if not has_same_versions or delta.unpacked_bytes or delta.compressed_bytes:
                found.append(PackageChange(*key, *self._versions_of(key), delta))
        found.sort(key=lambda each: (-abs(each.delta.compressed_bytes), each.ecosystem, each.name))
        return found


def _presence(before: str, after: str) -> Change:
    return "changed" if bool(before) == bool(after) else "added" if after else "removed"


def _directory(hierarchy: Hierarchy, directories: dict[str, Group], path: str) -> Group:
    """The group of a directory, made with all above it where they are missing; no recursion, for paths may be deep."""
    missing: list[str] = []
    while path not in directories:
        missing.append(path)
        path = path.rpartition("/")[0]
    group = directories[path]
    for each in reversed(missing):
        group = directories[each] = hierarchy.add(group, "files", each)
    return group
