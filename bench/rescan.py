"""What it costs to scan an unchanged fleet again: ``python bench/rescan.py [--repositories N] [--tags N]``.

A fleet of 1,000 repositories with 10 tags each is laid out in the storage of Debian's ``docker-registry``, which then
serves it on loopback. ``manage.py scan`` reads it twice with a database of its own (SQLite, or an empty one that
BENCH_DATABASE_URL names). The second time nothing has changed, and that is what is measured. Exits with 1 when
it asked for anything but the listing and one HEAD a tag, or found anything new. Prints one JSON line:

    tags            tags of the fleet
    requests        what the registry was asked, by kind, from its own access log
    seconds         wall clock of the whole second command, its start included
    cpu_seconds     of that command alone
    peak_bytes      resident memory of that command at its highest
    snapshots       new ones: 0
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fleet.sample.build import BuiltImage, Layer  # noqa: E402
from tests.fakes.pushable import image, layer  # noqa: E402
from tests.servers import debian_registry  # noqa: E402

FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
# A request as the registry writes it after answering: a line of its access log.
ANSWERED = re.compile(r'"(GET|HEAD) (\S+) HTTP/[\d.]+" (\d{3})')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=int, default=1000)
    parser.add_argument("--tags", type=int, default=10, help="of each repository")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plimsoll-bench-") as name:
        directory = Path(name)
        _lay_out(directory / "storage" / "docker" / "registry" / "v2", options.repositories, options.tags)
        with debian_registry(directory) as registry:
            env = _installation(directory, registry.url, options.tags)
            _scan(env)
            before = registry.log.stat().st_size
            seconds, cpu_seconds, output = _scan(env)
            with registry.log.open() as log:
                log.seek(before)
                asked = Counter(_kind(method, path) for method, path, _ in ANSWERED.findall(log.read()))
    found = re.search(r"(\d+) new snapshots?", output)
    tags, snapshots = options.repositories * options.tags, int(found[1]) if found else None
    figures = {
        "tags": tags,
        "requests": dict(sorted(asked.items())),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "peak_bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        "snapshots": snapshots,
    }
    print(json.dumps(figures))
    wrong = _wrong(asked, tags, snapshots)
    if wrong:
        print(f"The scan of an unchanged fleet was not as cheap as it has to be: {', '.join(wrong)}.", file=sys.stderr)
    return 1 if wrong else 0


def _wrong(asked: Counter[str], tags: int, snapshots: int | None) -> list[str]:
    """What the second scan did beyond the listing and one HEAD a tag. How long it took is for people to judge."""
    beyond = sorted(asked.keys() - {"check", "catalog", "tags_list", "head"})
    wrong = [f"requests of the kind {kind}: {asked[kind]}" for kind in beyond]
    if asked["head"] != tags:
        wrong.append(f"{asked['head']} HEADs for {tags} tags")
    if snapshots is None:
        wrong.append("it did not say how many new snapshots there were")
    elif snapshots:
        wrong.append(f"{snapshots} new snapshots")
    return wrong


def _kind(method: str, path: str) -> str:
    if "/manifests/" in path:
        return "head" if method == "HEAD" else "manifest"
    if "/blobs/" in path:
        return "blob"
    if path == "/v2/":
        return "check"
    return "tags_list" if "/tags/list" in path else "catalog" if "_catalog" in path else "other"


def _scan(env: dict[str, str]) -> tuple[float, float, str]:
    """Wall and CPU seconds of one ``manage.py scan``, and what it printed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "scan", "bench"], env=env, check=True, capture_output=True, text=True
    )
    seconds = time.perf_counter() - began
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime, done.stdout


def _installation(directory: Path, url: str, tags: int) -> dict[str, str]:
    database = os.environ.get("BENCH_DATABASE_URL") or f"sqlite:///{directory / 'bench.sqlite3'}"
    env = os.environ | {"PLIMSOLL_VAR": str(directory), "DATABASE_URL": database, "LOG_LEVEL": "ERROR"}
    manage = [sys.executable, str(ROOT / "manage.py")]
    subprocess.run([*manage, "migrate", "--verbosity=0"], env=env, check=True)
    fields = f"name='bench', url='{url}', history_tags={tags}, history_per_scan={tags}"
    add = f"from fleet.models import Registry; Registry.objects.create({fields})"
    subprocess.run([*manage, "shell", "--no-imports", "-c", add], env=env, check=True)
    return env


def _lay_out(root: Path, repositories: int, tags: int) -> None:
    """The files that the registry would have written, had everything been pushed: a hundred times quicker."""
    base = layer({"etc/os-release": b"ID=debian\n", "usr/bin/python3.11": b"#" * 1000})
    app = layer({"app/main.py": b"print('hello')\n"})
    _blob(root, *_content(base))
    _blob(root, *_content(app))
    for number in range(repositories):
        repository = root / "repositories" / "team" / f"app{number:04}"
        for tag in range(tags):
            built = image(FIRST_DAY + timedelta(days=tag, seconds=number), layers=(base, app))
            _tag(root, repository, f"1.{tag}", built)
        for each in (base, app):
            _link(repository / "_layers", each.digest)


def _tag(root: Path, repository: Path, tag: str, built: BuiltImage) -> None:
    _blob(root, built.config.digest, b"".join(built.config.chunks()))
    _blob(root, built.digest, built.document.body)
    _link(repository / "_layers", built.config.digest)
    _link(repository / "_manifests" / "revisions", built.digest)
    tags = repository / "_manifests" / "tags" / tag
    _link(tags / "index", built.digest)
    (tags / "current").mkdir(parents=True)
    (tags / "current" / "link").write_text(built.digest)


def _content(each: Layer) -> tuple[str, bytes]:
    return each.digest, b"".join(each.chunks())


def _blob(root: Path, digest: str, content: bytes) -> None:
    algorithm, _, name = digest.partition(":")
    assert hashlib.new(algorithm, content).hexdigest() == name
    directory = root / "blobs" / algorithm / name[:2] / name
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "data").write_bytes(content)


def _link(directory: Path, digest: str) -> None:
    algorithm, _, name = digest.partition(":")
    (directory / algorithm / name).mkdir(parents=True, exist_ok=True)
    (directory / algorithm / name / "link").write_text(digest)


if __name__ == "__main__":
    sys.exit(main())
