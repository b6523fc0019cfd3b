"""Python base images made on this machine, since none can be pulled: Debian by debootstrap, the interpreter the tests
run on, and for the full image the compilers and headers that ``python:3.x`` carries."""

from __future__ import annotations

import json
import shutil
import sys
import sysconfig
from pathlib import Path

from docker import DockerClient

from tests.debian import run, unpack

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
DEVELOPMENT_PACKAGES = (
    "build-essential git curl libpq-dev libssl-dev libffi-dev libsqlite3-dev default-libmysqlclient-dev"
)


def build_slim(engine: DockerClient, reference: str, debian: Path, workdir: Path) -> None:
    """Like ``python:3.x-slim``: the Debian of a tarball and the interpreter under /usr/local, as one imported layer."""
    root = workdir / "slim"
    unpack(debian, root)
    _copy_interpreter(root)
    _install_pip(root)
    for waste in ("var/lib/apt/lists", "var/cache/apt", "usr/share/doc", "usr/share/man", "usr/share/locale", "tmp"):
        shutil.rmtree(root / waste)
        (root / waste).mkdir()
    (root / "tmp").chmod(0o1777)
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)
    # A container that installs packages trusts what this machine trusts.
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs/ca-certificates.crt")
    (root / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
    _import(engine, root, reference)
    shutil.rmtree(root)


def build_full(engine: DockerClient, reference: str, slim: str, workdir: Path) -> None:
    """Like ``python:3.x``: the slim one and what it takes to compile extensions."""
    context = workdir / "full"
    context.mkdir()
    (context / "Dockerfile").write_text(
        f"FROM {slim}\n"
        f"RUN apt-get update && apt-get install -y --no-install-recommends {DEVELOPMENT_PACKAGES} "
        "&& rm -rf /var/lib/apt/lists/*\n"
        'CMD ["python3"]\n'
    )
    engine.images.build(path=str(context), tag=reference, network_mode="host", rm=True)


def _copy_interpreter(root: Path) -> None:
    """The interpreter of this machine under /usr/local, without its site-packages and tests, as official images do."""
    prefix, local = Path(sys.base_prefix), root / "usr/local"
    stdlib = Path(sysconfig.get_path("stdlib", vars={"installed_base": str(prefix), "base": str(prefix)}))
    unwanted = shutil.ignore_patterns(
        "site-packages", "dist-packages", "test", "tests", "__pycache__", "*.a", "idlelib"
    )
    shutil.copytree(stdlib, local / f"lib/python{MINOR}", ignore=unwanted, symlinks=True)
    (local / f"lib/python{MINOR}/site-packages").mkdir()
    shutil.copy2(prefix / f"bin/python{MINOR}", local / f"bin/python{MINOR}")
    for name in ("python3", "python"):
        (local / "bin" / name).symlink_to(f"python{MINOR}")
    for library in prefix.glob(f"lib/libpython{MINOR}*.so*"):
        shutil.copy2(library, local / "lib" / library.name, follow_symlinks=False)
    headers = Path(sysconfig.get_path("include", vars={"installed_base": str(prefix), "base": str(prefix)}))
    if headers.exists():
        shutil.copytree(headers, local / f"include/python{MINOR}")
    run("chroot", str(root), "ldconfig")


def _install_pip(root: Path) -> None:
    wheels = root / "tmp/wheels"
    run(sys.executable, "-m", "pip", "download", "-q", "-d", str(wheels), "pip", "setuptools", "wheel")
    (pip,) = (wheel.name for wheel in wheels.glob("pip-*.whl"))
    install = f"/tmp/wheels/{pip}/pip install -q --no-index --find-links /tmp/wheels pip setuptools wheel"
    run("chroot", str(root), "/usr/local/bin/python3", *install.split())


def _import(engine: DockerClient, root: Path, reference: str) -> None:
    """``docker import`` with the environment and the command that the official images set."""
    version = ".".join(map(str, sys.version_info[:3]))
    changes = [
        "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
        "ENV LANG=C.UTF-8",
        f"ENV PYTHON_VERSION={version}",
        'CMD ["python3"]',
    ]
    archive = root.with_suffix(".tar")
    run("tar", "-C", str(root), "--numeric-owner", "-cf", str(archive), ".")
    repository, _, tag = reference.rpartition(":")
    answer = engine.api.import_image_from_file(str(archive), repository=repository, tag=tag, changes=changes)
    archive.unlink()
    assert "error" not in json.loads(answer.splitlines()[-1]), answer
