"""How fast a layer is indexed, and in how much memory: ``python bench/layers.py [--runs N] [--blob FILE]``.

Makes a layer of the machine's own files (gzip -6) and has everybody read it by turns, each in a process of its own:

    igzip           inflates it to nowhere, in the steps of 16 KiB whose ends are noted: the measure of all others
    igzip_file      the same with the reader of igzip's own files and large buffers
    igzip_digests   the same and both SHA-256, on one thread: what one core can reach at best
    index           index_layer, which verifies the blob's digest and computes the diff ID on a second thread
    tarfile         Python's own, in its streaming mode, walking all members
    gzip_tar        ``gzip -dc | tar t``
    syft, dive      on an image of this layer alone, where they are on PATH or in var/peers; their start included
    skopeo          ``skopeo copy`` of that image to a directory: what fetching alone takes

Prints one JSON line. Of each the best run: MB of unpacked bytes a second, its ratio to igzip, CPU seconds, and resident
memory at its highest. And beside these:

    one_core        CPU time of igzip_digests ("ceiling") and of the index, in the same ratio to igzip; and that of the
                    index without the thread of digests ("reading"): what the clock says where a second core is free
    two_at_once     two layers in two threads against one: 2.0 were two cores that nothing holds up
    million_files   peak memory and seconds of indexing a layer of a million small files

Exits with 1 when the index has less than 0.8 of igzip's speed or takes more than 200 MB, unless --report-only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from isal import isal_zlib
from layer_files import (
    DIRECTORIES,
    ROOT,
    chunks,
    sha256,
    write_docker_archive,
    write_layer,
    write_oci_archive,
    write_small_files,
)

from fleet.image.entries import LayerIndex
from fleet.image.layer import index_layer

SPEED = 0.8
MEMORY_BYTES = 200 * 10**6
STEP_BYTES = 16 << 10
BLOCK_BYTES = 512 << 10


@dataclass(frozen=True, slots=True)
class Run:
    """``cpu_seconds`` of all threads, ``reading_seconds`` of the first one; ``peak_bytes`` of the whole process, its
    interpreter included."""

    seconds: float
    cpu_seconds: float
    reading_seconds: float
    peak_bytes: int


def inflate(blob: Path) -> None:
    reader = isal_zlib.decompressobj(31)
    with blob.open("rb") as file:
        while step := file.read(STEP_BYTES):
            reader.decompress(step)


def inflate_file(blob: Path) -> None:
    block = bytearray(BLOCK_BYTES)
    with blob.open("rb") as file:
        reader = isal_zlib._GzipReader(file, BLOCK_BYTES)
        while reader.readinto(block):  # type: ignore[attr-defined]
            pass


def inflate_and_digest(blob: Path) -> None:
    stored, contents = hashlib.sha256(), hashlib.sha256()
    block = memoryview(bytearray(BLOCK_BYTES))
    with blob.open("rb") as file:
        reader = isal_zlib._GzipReader(file, BLOCK_BYTES)
        while size := reader.readinto(block):  # type: ignore[attr-defined]
            contents.update(block[:size])
    for chunk in chunks(blob):
        stored.update(chunk)


def index(blob: Path) -> LayerIndex:
    return index_layer(chunks(blob), digest=f"sha256:{os.environ['BENCH_SHA256']}", media_type="")


def index_two(blob: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(index, (blob, blob)))


def walk(blob: Path) -> None:
    with tarfile.open(blob, "r|gz") as tar:
        for _ in tar:
            # It keeps every member otherwise.
            tar.members.clear()


# What runs in a Python of its own, timed without its start.
WITHIN: dict[str, Callable[[Path], object]] = {
    "igzip": inflate,
    "igzip_file": inflate_file,
    "igzip_digests": inflate_and_digest,
    "index": index,
    "index_two": index_two,
    "tarfile": walk,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="*", default=DIRECTORIES)
    parser.add_argument("--blob", type=Path, help="a gzip-compressed layer to read instead")
    parser.add_argument("--megabytes", type=int, default=400, help="of the layer that is made, unpacked")
    parser.add_argument("--files", type=int, default=1_000_000, help="of the layer of small ones")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--within", choices=WITHIN, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.within:
        return _within(options.within, options.blob)
    with tempfile.TemporaryDirectory(prefix="plimsoll-bench-") as name:
        figures = _measure(Path(name), options)
    print(json.dumps(figures))
    missed = _missed(figures)
    if missed:
        print(f"The figures to hold are not held: {', '.join(missed)}.", file=sys.stderr)
    return 1 if missed and not options.report_only else 0


def _within(contender: str, blob: Path) -> int:
    clocks = {"seconds": time.perf_counter, "cpu_seconds": time.process_time, "reading_seconds": time.thread_time}
    began = {name: clock() for name, clock in clocks.items()}
    found = WITHIN[contender](blob)
    print(json.dumps({name: clock() - began[name] for name, clock in clocks.items()}))
    if isinstance(found, LayerIndex):
        shares = sum(entry.compressed_bytes for entry in found.entries)
        print(
            json.dumps(
                {
                    "unpacked_bytes": found.unpacked_bytes,
                    "stored_bytes": found.compressed_bytes,
                    "entries": len(found.entries),
                    "programs": len(found.elf),
                    "shares": round(shares / found.compressed_bytes, 4),
                }
            )
        )
    return 0


def _measure(directory: Path, options: argparse.Namespace) -> dict[str, object]:
    blob = options.blob or directory / "layer.tar.gz"
    if not options.blob:
        write_layer(blob, options.directories, options.megabytes * 10**6)
    os.environ["BENCH_SHA256"] = sha256(chunks(blob))
    commands = _ours(blob) | _shell(blob) | _peers(directory, blob)
    runs: dict[str, list[Run]] = {contender: [] for contender in commands}
    for _ in range(options.runs):
        for contender, command in commands.items():
            runs[contender].append(_run(command, directory)[0])
    layer = json.loads(_run(commands["index"], directory)[1][1])
    unpacked_bytes = layer["unpacked_bytes"]
    best = {contender: min(each, key=lambda run: run.seconds) for contender, each in runs.items()}
    cpu = {contender: min(run.cpu_seconds for run in each) for contender, each in runs.items()}
    two = best.pop("index_two")
    return {
        "layer": layer,
        **{contender: _figures(run, best["igzip"], unpacked_bytes) for contender, run in best.items()},
        "one_core": {
            "ceiling": round(cpu["igzip"] / cpu["igzip_digests"], 2),
            "index": round(cpu["igzip"] / cpu["index"], 2),
            "reading": round(cpu["igzip"] / min(run.reading_seconds for run in runs["index"]), 2),
        },
        "two_at_once": round(2 * best["index"].seconds / two.seconds, 2),
        "million_files": _small_files(directory, options.files),
    }


def _figures(run: Run, igzip: Run, unpacked_bytes: int) -> dict[str, object]:
    return {
        "mb_per_second": round(unpacked_bytes / run.seconds / 1e6),
        "of_igzip": round(igzip.seconds / run.seconds, 2),
        "cpu_seconds": round(run.cpu_seconds, 2),
        "peak_bytes": run.peak_bytes,
    }


def _small_files(directory: Path, count: int) -> dict[str, object]:
    blob = directory / "small.tar.gz"
    write_small_files(blob, count)
    os.environ["BENCH_SHA256"] = sha256(chunks(blob))
    run, printed = _run(_ours(blob)["index"], directory)
    entries = json.loads(printed[1])["entries"]
    return {"entries": entries, "seconds": round(run.seconds, 2), "peak_bytes": run.peak_bytes}


def _missed(figures: dict[str, object]) -> list[str]:
    of = json.loads(json.dumps(figures))
    missed = []
    if of["index"]["of_igzip"] < SPEED:
        missed.append(f"{of['index']['of_igzip']} of igzip's speed, {SPEED} wanted")
    for what in ("index", "million_files"):
        if of[what]["peak_bytes"] > MEMORY_BYTES:
            missed.append(f"{of[what]['peak_bytes'] / 1e6:.0f} MB for {what}, {MEMORY_BYTES / 1e6:.0f} wanted")
    return missed


def _ours(blob: Path) -> dict[str, Sequence[str]]:
    start = (sys.executable, __file__, "--blob", str(blob), "--within")
    return {contender: (*start, contender) for contender in WITHIN}


def _shell(blob: Path) -> dict[str, Sequence[str]]:
    return {"gzip_tar": ("sh", "-c", 'gzip -dc "$1" | tar t', "sh", str(blob))}


def _peers(directory: Path, blob: Path) -> dict[str, Sequence[str]]:
    """Those that are there, on the images that they want."""
    peers = ROOT / "var" / "peers"
    path = os.pathsep.join((str(peers), str(peers / "bin"), os.environ.get("PATH", "")))
    found = {peer: where for peer in ("syft", "dive", "skopeo") if (where := shutil.which(peer, path=path))}
    oci, docker, copy = directory / "oci.tar", directory / "docker.tar", directory / "copy"
    if found.keys() & {"syft", "skopeo"}:
        write_oci_archive(oci, blob)
    if "dive" in found:
        write_docker_archive(docker, blob)
    arguments = {
        "syft": ("scan", f"oci-archive:{oci}", "-q", "-o", "json"),
        "dive": (f"docker-archive://{docker}", "--json", str(directory / "dive.json")),
        "skopeo": ("copy", "--insecure-policy", "-q", f"oci-archive:{oci}:bench", f"dir:{copy}"),
    }
    return {peer: (where, *arguments[peer]) for peer, where in found.items()}


def _run(command: Sequence[str], directory: Path) -> tuple[Run, list[str]]:
    """One run, and the lines that it printed. A contender that fails has no figures: the run ends there."""
    env = os.environ | {"SYFT_CHECK_FOR_APP_UPDATE": "false", "XDG_CACHE_HOME": str(directory), "PYTHONPATH": str(ROOT)}
    printed = directory / "printed"
    with printed.open("wb") as output:
        began = time.perf_counter()
        child = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    cpu_seconds = reading_seconds = used.ru_utime + used.ru_stime
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {child.returncode}.")
    lines: list[str] = []
    if command[0] == sys.executable:
        lines = printed.read_text().splitlines()
        own = json.loads(lines[0])
        seconds, cpu_seconds, reading_seconds = own["seconds"], own["cpu_seconds"], own["reading_seconds"]
    return Run(seconds, cpu_seconds, reading_seconds, used.ru_maxrss * 1024), lines


if __name__ == "__main__":
    sys.exit(main())
