"""How long a whole image takes that nobody has read before: ``python bench/image.py [--reference REF] [--runs N]``.

Each reads the same image from a registry on loopback, by turns and in a process of its own, its start included:

    ours     ``manage.py inspect REF --json``: fetched, verified, indexed, packages, findings, observations
    syft     ``syft scan registry:REF -o json``, for packages alone
    skopeo   ``skopeo copy docker://REF dir:…``, which fetches, verifies and keeps the blobs: what fetching takes

The image is a Django application of 1.9 GB on Debian's compilers, built by an engine once and kept with its registry in
var/bench; another one is named by --reference. The peers come by bench/peers.py; those that are missing are left out.

Prints one JSON line: of each the best run, its seconds, CPU seconds of all its processes, and resident memory at its
highest; then how our seconds compare with theirs. Exits with 1 when ours takes more than 1.2 times as long as skopeo or
more than 250 MiB, unless --report-only. With --profile it is ours alone, and where its time goes is told instead.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import docker  # noqa: E402

from scripts.lib import peers  # noqa: E402
from scripts.lib.processes import Processes  # noqa: E402
from scripts.lib.servers import Servers, clear_mounts  # noqa: E402
from tests.debian import debian_tarball  # noqa: E402
from tests.end_to_end import bases  # noqa: E402
from tests.servers import DebianRegistry, debian_registry  # noqa: E402

OF_SKOPEO = 1.2
MEMORY_BYTES = 250 << 20
KEPT = ROOT / "var" / "bench"
REPOSITORY, TAG = "bench/django", "1"
PACKAGES = "django==5.2.19 gunicorn==23.0.0 psycopg2==2.9.11 pillow==11.0.0 numpy==2.1.3 pandas==2.2.3 lxml==5.3.0"
DOCKERFILE = """FROM {base}
RUN apt-get update && apt-get install -y python3-dev libgdal-dev cmake gettext
RUN pip install {packages}
COPY app /app
RUN chown -R 1000:1000 /app
CMD ["gunicorn", "--chdir", "/app", "shop.wsgi"]
"""


@dataclass(frozen=True, slots=True)
class Run:
    """``cpu_seconds`` and ``peak_bytes`` of a command and of what it started and waited for."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", help="an image in a registry that speaks plain HTTP, instead of the one made")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        reference = options.reference or stack.enter_context(_made())
        if options.profile:
            return _profile(reference)
        figures = _measure(reference, options.runs)
    print(json.dumps(figures))
    missed = _missed(figures)
    if missed:
        print(f"The figures to hold are not held: {', '.join(missed)}.", file=sys.stderr)
    return 1 if missed and not options.report_only else 0


def _measure(reference: str, count: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="plimsoll-bench-") as name:
        directory = Path(name)
        commands = {"ours": _ours(reference), **_peers(reference, directory / "copy")}
        runs: dict[str, list[Run]] = {contender: [] for contender in commands}
        for _ in range(count):
            for contender, command in commands.items():
                runs[contender].append(_run(command, directory / f"{contender}.out"))
        image = json.loads((directory / "ours.out").read_text())
    best = {contender: min(each, key=lambda run: run.seconds) for contender, each in runs.items()}
    return {
        "image": {kind: image[kind] for kind in ("compressed_bytes", "unpacked_bytes")} | _counts(image),
        **{contender: _figures(run) for contender, run in best.items()},
        **{f"of_{peer}": round(best["ours"].seconds / best[peer].seconds, 2) for peer in best if peer != "ours"},
    }


def _counts(image: dict[str, list[object]]) -> dict[str, int]:
    return {kind: len(image[kind]) for kind in ("layers", "packages", "findings")}


def _figures(run: Run) -> dict[str, object]:
    return {
        "seconds": round(run.seconds, 2),
        "cpu_seconds": round(run.cpu_seconds, 2),
        "peak_bytes": run.peak_bytes,
    }


def _missed(figures: dict[str, object]) -> list[str]:
    of = json.loads(json.dumps(figures))
    missed = []
    if of.get("of_skopeo", 0) > OF_SKOPEO:
        missed.append(f"{of['of_skopeo']} times as long as skopeo, {OF_SKOPEO} wanted")
    if of["ours"]["peak_bytes"] > MEMORY_BYTES:
        missed.append(f"{of['ours']['peak_bytes'] >> 20} MiB, {MEMORY_BYTES >> 20} wanted")
    return missed


def _ours(reference: str) -> Sequence[str]:
    return (sys.executable, str(ROOT / "manage.py"), "inspect", reference, "--json")


def _peers(reference: str, copy: Path) -> dict[str, Sequence[str]]:
    path = os.pathsep.join((str(peers.DIRECTORY), os.environ.get("PATH", "")))
    arguments = {
        "syft": ("scan", f"registry:{reference}", "-q", "-o", "json"),
        "skopeo": ("copy", "--insecure-policy", "-q", "--src-tls-verify=false", f"docker://{reference}", f"dir:{copy}"),
    }
    found = {peer: where for peer in arguments if (where := shutil.which(peer, path=path))}
    return {peer: (where, *arguments[peer]) for peer, where in found.items()}


def _run(command: Sequence[str], printed: Path) -> Run:
    caches = {"XDG_CACHE_HOME": str(printed.parent), "TMPDIR": str(printed.parent)}
    settings = {"SYFT_CHECK_FOR_APP_UPDATE": "false", "SYFT_REGISTRY_INSECURE_USE_HTTP": "true"}
    with printed.open("wb") as output:
        began = time.perf_counter()
        env = os.environ | caches | settings
        # Compiled once, as wherever nothing forbids it.
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        child = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {child.returncode}.")
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def _profile(reference: str) -> int:
    """Python's own profile of the main thread, most expensive subtrees first."""
    with tempfile.TemporaryDirectory(prefix="plimsoll-bench-") as name:
        profile = Path(name, "profile")
        command = (sys.executable, "-m", "cProfile", "-o", str(profile), *_ours(reference)[1:])
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        show = f"import pstats; pstats.Stats({str(profile)!r}).sort_stats('cumulative').print_stats('fleet|manage', 60)"
        return subprocess.run((sys.executable, "-c", show), check=False).returncode


@contextlib.contextmanager
def _made() -> Iterator[str]:
    """The reference of the image that is kept in var/bench, made where it is not, while its registry serves it."""
    KEPT.mkdir(parents=True, exist_ok=True)
    done = KEPT / "made"
    with debian_registry(KEPT) as registry:
        if not done.exists():
            _make(registry)
            done.touch()
        yield f"{registry.host}/{REPOSITORY}:{TAG}"


def _make(registry: DebianRegistry) -> None:
    with tempfile.TemporaryDirectory(prefix="plimsoll-bench-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        try:
            with Processes(directory / "log", grace_seconds=30) as processes:
                servers = Servers(directory, processes)
                servers.start_engine()
                if servers.missing:
                    raise SystemExit(" ".join(servers.missing))
                with contextlib.closing(_client(servers)) as engine:
                    _build(engine, registry, directory)
        finally:
            clear_mounts(directory)


def _client(servers: Servers) -> docker.DockerClient:
    address = servers.env.get("DOCKER_HOST")
    return docker.DockerClient(base_url=address, timeout=1200) if address else docker.from_env(timeout=1200)


def _build(engine: docker.DockerClient, registry: DebianRegistry, directory: Path) -> None:
    slim, full, reference = "bench-python:slim", "bench-python:full", f"{registry.host}/{REPOSITORY}"
    bases.build_slim(engine, slim, debian_tarball(directory), directory)
    bases.build_full(engine, full, slim, directory)
    context = directory / "context"
    shutil.copytree(Path(bases.__file__).parent / "django_app", context / "app")
    (context / "Dockerfile").write_text(DOCKERFILE.format(base=full, packages=PACKAGES))
    engine.images.build(path=str(context), tag=f"{reference}:{TAG}", network_mode="host", rm=True)
    for line in engine.images.push(reference, tag=TAG, stream=True, decode=True):
        if "error" in line:
            raise SystemExit(line["error"])
    for image in (f"{reference}:{TAG}", full, slim):
        engine.images.remove(image, force=True)


if __name__ == "__main__":
    sys.exit(main())
