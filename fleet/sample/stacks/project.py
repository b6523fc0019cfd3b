"""What a COPY of a whole checkout brings along besides the sources."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.sample.tar import File
from fleet.sample.trees import blob, seed_of, text


def git_history(root: str, pack_bytes: int, loose: int = 30) -> Iterator[File]:
    """A ``.git`` directory: one pack, its index, loose objects, refs."""
    git = f"{root}/.git"
    name = f"{seed_of(root, 'pack'):08x}" * 5
    yield text(f"{git}/HEAD", "ref: refs/heads/main\n")
    yield text(f"{git}/config", "[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
    yield text(f"{git}/refs/heads/main", f"{name}\n")
    yield blob(f"{git}/index", 68_000, "machine", head=b"DIRC\0\0\0\2")
    yield blob(f"{git}/objects/pack/pack-{name}.pack", pack_bytes, head=b"PACK\0\0\0\2")
    yield blob(f"{git}/objects/pack/pack-{name}.idx", pack_bytes // 90, "machine", head=b"\xfftOc")
    for number in range(loose):
        key = f"{seed_of(root, number):08x}" * 5
        yield blob(f"{git}/objects/{key[:2]}/{key[2:]}", 300 + seed_of(key) % 9_000)
