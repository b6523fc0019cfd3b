"""Directories full of files whose number and total size are given and whose names read like a project's."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator

from fleet.sample.filler import Filler, Matter
from fleet.sample.tar import File

WORDS = (
    "account", "adapter", "archive", "audit", "basket", "batch", "buffer", "cache", "catalog", "channel", "client",
    "codec", "config", "context", "cursor", "database", "dispatch", "encoder", "event", "export", "filter", "format",
    "gateway", "handler", "header", "index", "invoice", "journal", "key", "layout", "ledger", "limit", "loader",
    "locale", "mapper", "matrix", "message", "metrics", "migration", "model", "module", "monitor", "network", "order",
    "packet", "parser", "payment", "plugin", "policy", "pool", "process", "profile", "query", "queue", "reader",
    "record", "registry", "report", "request", "resource", "response", "retry", "router", "sample", "schema",
    "scope", "search", "section", "sender", "session", "signal", "snapshot", "socket", "source", "state", "storage",
    "stream", "switch", "table", "task", "template", "token", "tracker", "transport", "tree", "update", "user",
    "validator", "value", "vector", "version", "view", "watcher", "window", "worker", "writer",
)  # fmt: skip
FILES_PER_DIRECTORY = 24


def seed_of(*parts: object) -> int:
    """A number that is the same in every process, unlike ``hash``."""
    return zlib.crc32(repr(parts).encode())


def shares(total: int, count: int, seed: int) -> list[int]:
    """``count`` uneven whole numbers that add up to ``total``: a few large ones, many small."""
    chance = random.Random(seed)  # noqa: S311
    weights = [chance.paretovariate(1.3) for _ in range(count)]
    whole = sum(weights)
    sizes = [int(total * weight / whole) for weight in weights]
    sizes[0] += total - sum(sizes)
    return sizes


def tree(
    root: str, count: int, size_bytes: int, *, suffix: str = "", matter: Matter = "text", seed: int = 0, uid: int = 0
) -> Iterator[File]:
    """``count`` files of ``size_bytes`` in all, below ``root``."""
    chance = random.Random(seed_of(root, seed))  # noqa: S311
    folder = root
    for position, size in enumerate(shares(size_bytes, count, seed_of(root, count, seed))):
        if position % FILES_PER_DIRECTORY == 0 and position:
            folder = f"{root}/{chance.choice(WORDS)}s{position // FILES_PER_DIRECTORY}"
        word = WORDS[(position * 37 + seed) % len(WORDS)]
        path = f"{folder}/{word}_{position}{suffix}"
        yield File(path, Filler(matter, size, chance.randrange(64)), uid=uid, gid=uid)


def blob(path: str, size_bytes: int, matter: Matter = "packed", *, head: bytes = b"", mode: int = 0o644) -> File:
    """One large file, which begins with ``head``."""
    return File(path, Filler(matter, max(0, size_bytes - len(head)), seed_of(path) % 64, head), mode=mode)


def text(path: str, content: str, mode: int = 0o644) -> File:
    return File(path, content.encode(), mode=mode)
