"""Base images as the official ones are, made on this machine since none can be pulled: Debian by debootstrap, what is
on it by apt, languages from this machine's own, under the paths and with the environment of the official images; and
distroless from Debian's packages, with what its own build adds.

Each is made once and pushed: a ``Shelf`` makes what is asked for and what that starts from.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.applications.workshop import Workshop
from tests.debian import run

SUITE = "bookworm"
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
NODE = "20"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TRUSTED_HERE = Path("/usr/local/share/ca-certificates")

# Of what buildpack-deps has: what it takes to compile what people install.
COMPILERS = "ca-certificates curl g++ gcc libffi-dev libpq-dev make netbase pkg-config tzdata zlib1g-dev"
# As python:3.x-slim has them beside Debian.
OF_PYTHON = (
    "ca-certificates netbase tzdata libssl3 libffi8 libsqlite3-0 libbz2-1.0 liblzma5 libreadline8 zlib1g libexpat1 "
    "libncursesw6 libuuid1 libgdbm6 libdb5.3"
)
DISTROLESS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "static": ("", ("base-files", "netbase", "tzdata", "ca-certificates")),
    "base": ("static", ("libc6", "libssl3")),
    "cc": ("base", ("libgcc-s1", "libstdc++6", "libgomp1", "gcc-12-base")),
}
_ACCOUNTS = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
        "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
    ),
    "etc/group": "root:x:0:\nnobody:x:65534:\ntty:x:5:\nstaff:x:50:\nnonroot:x:65532:\n",
    "etc/nsswitch.conf": (
        "passwd: compat\ngroup: compat\nshadow: compat\nhosts: files dns\nnetworks: files\nprotocols: db files\n"
        "services: db files\nethers: db files\nrpc: db files\nnetgroup: nis\n"
    ),
}
_NODE_ENTRYPOINT = """#!/bin/sh
set -e
# Run command with node if the first argument contains a "-" or is not a system command.
if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ] || { [ -f "${1}" ] && ! [ -x "${1}" ]; }; then
  set -- node "$@"
fi
exec "$@"
"""
_WASTE_OF_SLIM = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian")


@dataclass
class Shelf:
    """The bases of one registry. Safe to share between threads: who needs what another makes waits for it."""

    workshop: Workshop
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def need(self, families: Iterable[str]) -> None:
        for family in families:
            parents, references, make = _FAMILIES[family]
            self.need(parents)
            with self._lock:
                lock = self._locks.setdefault(family, threading.Lock())
            with lock:
                if not all(map(self.workshop.has, references)):
                    with tempfile.TemporaryDirectory(dir=self.workshop.directory) as name:
                        make(self.workshop, Path(name))
                    for reference in references:
                        self.workshop.push(self.workshop.name(reference))


def _debian(workshop: Workshop, workdir: Path) -> None:
    """``debian:bookworm`` and ``-slim`` from one bootstrap, and the packages that distroless is made of."""
    root = workdir / "root"
    run("debootstrap", "--variant=minbase", SUITE, str(root))
    _keep_packages(root, workshop.directory / "packages")
    shutil.rmtree(root / "var/cache/apt")
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)
    _empty(root, "var/lib/apt/lists")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/apt/sources.list").write_text(f"deb http://deb.debian.org/debian {SUITE} main\n")
    clean = "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"
    (root / "etc/apt/apt.conf.d/docker-clean").write_text(f'DPkg::Post-Invoke {{ "{clean}"; }};\n')
    (root / "etc/dpkg/dpkg.cfg.d").mkdir(exist_ok=True)
    (root / "etc/dpkg/dpkg.cfg.d/docker-apt-speedup").write_text("force-unsafe-io\n")
    # Whoever installs ca-certificates on it trusts what this machine trusts.
    for certificate in TRUSTED_HERE.glob("*.crt"):
        (root / "usr/local/share/ca-certificates").mkdir(exist_ok=True)
        shutil.copy(certificate, root / "usr/local/share/ca-certificates")
    changes = (f"ENV PATH={PATH}", 'CMD ["bash"]')
    _import(workshop, root, f"library/debian:{SUITE}", changes)
    for waste in _WASTE_OF_SLIM:
        _empty(root, waste)
    excludes = "".join(f"path-exclude /{waste}/*\n" for waste in _WASTE_OF_SLIM)
    (root / "etc/dpkg/dpkg.cfg.d/docker").write_text(excludes + "path-include /usr/share/doc/*/copyright\n")
    _import(workshop, root, f"library/debian:{SUITE}-slim", changes)


def _keep_packages(root: Path, packages: Path) -> None:
    names = [name for _, of_kind in DISTROLESS.values() for name in of_kind]
    shutil.rmtree(packages, ignore_errors=True)
    (root / "tmp/packages").mkdir()
    run("chroot", str(root), "sh", "-c", f"cd /tmp/packages && apt-get -q download {' '.join(names)}")
    shutil.move(root / "tmp/packages", packages)


def _buildpack(workshop: Workshop, workdir: Path) -> None:
    install = f"apt-get update && apt-get install -y --no-install-recommends {COMPILERS} && rm -rf /var/lib/apt/lists/*"
    _build(workshop, workdir, f"library/buildpack-deps:{SUITE}", f"debian:{SUITE}", f"RUN {install}\n")


def _python(workshop: Workshop, workdir: Path) -> None:
    _copy_interpreter(workdir / "local")
    version = ".".join(map(str, sys.version_info[:3]))
    lines = (
        f"ENV PATH=/usr/local/bin:{PATH} LANG=C.UTF-8 PYTHON_VERSION={version}\n"
        "COPY local /usr/local\n"
        "RUN ldconfig && PYTHONDONTWRITEBYTECODE=1 python3 -m ensurepip --default-pip && rm -rf /tmp/*\n"
        "RUN printf '[global]\\ncert = /etc/ssl/certs/ca-certificates.crt\\n' > /etc/pip.conf\n"
        'CMD ["python3"]\n'
    )
    install = f"apt-get update && apt-get install -y --no-install-recommends {OF_PYTHON} && rm -rf /var/lib/apt/lists/*"
    lines = f"RUN {install}\n{lines}"
    _build(workshop, workdir, f"library/python:{MINOR}-slim-{SUITE}", f"debian:{SUITE}-slim", lines)
    _build(workshop, workdir, f"library/python:{MINOR}-{SUITE}", f"buildpack-deps:{SUITE}", lines)
    for tag in (f"{MINOR}-slim", MINOR):
        workshop.tag(f"library/python:{tag}-{SUITE}" if tag != MINOR else f"library/python:{MINOR}-{SUITE}",
                     f"library/python:{tag}")  # fmt: skip


def _copy_interpreter(local: Path) -> None:
    """The interpreter of this machine as official images have it: no tests, no packages, nothing compiled."""
    prefix = Path(sys.base_prefix)
    paths = {"installed_base": str(prefix), "base": str(prefix)}
    unwanted = shutil.ignore_patterns(
        "site-packages", "dist-packages", "test", "tests", "__pycache__", "*.a", "idlelib", "_tkinter*", "nis.*"
    )
    standard = Path(sysconfig.get_path("stdlib", vars=paths))
    shutil.copytree(standard, local / f"lib/python{MINOR}", ignore=unwanted, symlinks=True)
    (local / f"lib/python{MINOR}/site-packages").mkdir()
    (local / "bin").mkdir()
    shutil.copy2(prefix / f"bin/python{MINOR}", local / f"bin/python{MINOR}")
    for name in ("python3", "python"):
        (local / "bin" / name).symlink_to(f"python{MINOR}")
    for library in prefix.glob(f"lib/libpython{MINOR}*.so*"):
        shutil.copy2(library, local / "lib" / library.name, follow_symlinks=False)
    headers = Path(sysconfig.get_path("include", vars=paths))
    if headers.exists():
        shutil.copytree(headers, local / f"include/python{MINOR}")


def _java(workshop: Workshop, workdir: Path) -> None:
    """What a company made for its own teams: no official image has the name, and nobody but the registry knows it."""
    lines = (
        "RUN apt-get update && apt-get install -y --no-install-recommends maven openjdk-17-jdk-headless"
        " && rm -rf /var/lib/apt/lists/*\nENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64\n"
    )
    _build(workshop, workdir, "platform/java:17", f"debian:{SUITE}", lines)


def _node(workshop: Workshop, workdir: Path) -> None:
    program = Path(shutil.which("node") or "/usr/bin/node").resolve()
    local, prefix = workdir / "local", program.parents[1]
    (local / "bin").mkdir(parents=True)
    shutil.copy2(program, local / "bin/node")
    (local / "bin/nodejs").symlink_to("node")
    shutil.copytree(prefix / "include/node", local / "include/node")
    shutil.copytree(prefix / "lib/node_modules/npm", local / "lib/node_modules/npm", symlinks=True)
    for name in ("npm", "npx"):
        (local / "bin" / name).symlink_to(f"../lib/node_modules/npm/bin/{name}-cli.js")
    (local / "bin/docker-entrypoint.sh").write_text(_NODE_ENTRYPOINT)
    (local / "bin/docker-entrypoint.sh").chmod(0o755)
    (local / "etc").mkdir()
    # Headers and certificates are here: nothing but packages is asked for outside.
    (local / "etc/npmrc").write_text(
        "cafile=/etc/ssl/certs/ca-certificates.crt\nnodedir=/usr/local\naudit=false\nfund=false\nupdate-notifier=false\n"
    )
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()[1:]
    lines = (
        "RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node\n"
        f"ENV NODE_VERSION={version}\nCOPY local /usr/local\n"
        'ENTRYPOINT ["docker-entrypoint.sh"]\nCMD ["node"]\n'
    )
    _build(workshop, workdir, f"library/node:{NODE}-{SUITE}-slim", f"debian:{SUITE}-slim", lines)
    gyp = "RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*\n"
    _build(workshop, workdir, f"library/node:{NODE}-{SUITE}", f"buildpack-deps:{SUITE}", gyp + lines)


def _golang(workshop: Workshop, workdir: Path) -> None:
    asked = subprocess.run(["go", "env", "GOROOT", "GOVERSION"], capture_output=True, text=True, check=True)
    root, version = asked.stdout.split()
    unwanted = shutil.ignore_patterns("test", "testdata", "*_test.go")
    shutil.copytree(root, workdir / "go", symlinks=True, ignore=unwanted)
    lines = (
        f"ENV GOLANG_VERSION={version.removeprefix('go')} GOTOOLCHAIN=local GOPATH=/go\n"
        f"ENV PATH=/go/bin:/usr/local/go/bin:{PATH}\n"
        "COPY go /usr/local/go\nRUN mkdir -p /go/src /go/bin && chmod -R 1777 /go\nWORKDIR /go\n"
    )
    _build(workshop, workdir, f"library/golang:1-{SUITE}", f"buildpack-deps:{SUITE}", lines)


def _rust(workshop: Workshop, workdir: Path) -> None:
    """What rustup's minimal profile installs, at the place where the official image keeps it."""
    asked = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True)
    sysroot = Path(asked.stdout.strip()).resolve()
    toolchain = workdir / "rustup/toolchains/stable"
    (toolchain / "bin").mkdir(parents=True)
    for name in ("rustc", "cargo"):
        shutil.copy2(sysroot / "bin" / name, toolchain / "bin" / name)
    shutil.copytree(sysroot / "lib", toolchain / "lib", symlinks=True)
    lines = (
        "ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo "
        f"PATH=/usr/local/cargo/bin:/usr/local/rustup/toolchains/stable/bin:{PATH}\n"
        "ENV CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt\n"
        "COPY rustup /usr/local/rustup\n"
    )
    _build(workshop, workdir, f"library/rust:1-{SUITE}", f"buildpack-deps:{SUITE}", lines)


def _distroless(workshop: Workshop, workdir: Path) -> None:
    """``latest`` and ``nonroot`` of static, base and cc, each a layer on the one before."""
    for kind, (parent, packages) in DISTROLESS.items():
        root = workdir / kind
        root.mkdir()
        for package in packages:
            _unpack_package(next((workshop.directory / "packages").glob(f"{package}_*.deb")), root)
        settings = f"ENV PATH={PATH} SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"
        latest = f"distroless/{kind}-debian12:latest"
        if parent:
            first = f"FROM {workshop.name(f'distroless/{parent}-debian12:latest')}\nCOPY . /\n"
            _build_text(workshop, root, latest, first)
        else:
            _finish_static(root)
            _import(workshop, root, latest, (settings, "USER 0", "WORKDIR /"))
        nonroot = f"FROM {workshop.name(latest)}\nUSER 65532\nWORKDIR /home/nonroot\n"
        workshop.build(workshop.name(latest.replace(":latest", ":nonroot")), nonroot)


def _unpack_package(package: Path, root: Path) -> None:
    """A package's files without its documentation, and its control stanza where distroless keeps it."""
    run("dpkg-deb", "-x", str(package), str(root))
    control = subprocess.run(["dpkg-deb", "-f", str(package)], capture_output=True, text=True, check=True).stdout
    status = root / "var/lib/dpkg/status.d"
    status.mkdir(parents=True, exist_ok=True)
    (status / package.name.partition("_")[0]).write_text(control)
    for waste in ("usr/share/man", "usr/share/lintian", "usr/share/locale", "usr/share/bug", "usr/sbin"):
        shutil.rmtree(root / waste, ignore_errors=True)
    for path in (root / "usr/share/doc").rglob("*"):
        if path.is_file() and path.name != "copyright":
            path.unlink()


def _finish_static(root: Path) -> None:
    for path, text in _ACCOUNTS.items():
        (root / path).write_text(text)
    (root / "home/nonroot").mkdir(parents=True, mode=0o700)
    shutil.chown(root / "home/nonroot", 65532, 65532)
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
    certificates = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    bundle = "".join(certificate.read_text().rstrip() + "\n" for certificate in certificates)
    (root / "etc/ssl/certs/ca-certificates.crt").write_text(bundle)


def _build(workshop: Workshop, workdir: Path, reference: str, parent: str, lines: str) -> None:
    _build_text(workshop, workdir, reference, f"FROM {workshop.name(f'library/{parent}')}\n{lines}")


def _build_text(workshop: Workshop, workdir: Path, reference: str, dockerfile: str) -> None:
    workshop.build(workshop.name(reference), dockerfile, workdir)


def _import(workshop: Workshop, root: Path, reference: str, changes: Iterable[str]) -> None:
    archive = root.with_suffix(".tar")
    run("tar", "-C", str(root), "--numeric-owner", "-cf", str(archive), ".")
    repository, _, tag = workshop.name(reference).rpartition(":")
    answer = workshop.engine.api.import_image_from_file(
        str(archive), repository=repository, tag=tag, changes=list(changes)
    )
    archive.unlink()
    assert "error" not in json.loads(answer.splitlines()[-1]), answer


def _empty(root: Path, path: str) -> None:
    shutil.rmtree(root / path, ignore_errors=True)
    (root / path).mkdir(parents=True)


def with_host(dockerfile: str, host: str) -> str:
    """A Dockerfile whose images come from a company's registry, the official ones from its mirror."""
    official = re.sub(r"^(FROM )([\w-]+:)", rf"\g<1>{host}/library/\g<2>", dockerfile, flags=re.MULTILINE)
    return re.sub(r"^(FROM )(platform/)", rf"\g<1>{host}/\g<2>", official, flags=re.MULTILINE)


def missing_programs(families: Iterable[str]) -> list[str]:
    """What this machine lacks to make some families: languages are copied from it."""
    needed = {"debootstrap"} | {_COPIED[family] for family in families if family in _COPIED}
    return sorted(program for program in needed if not shutil.which(program))


def depth(family: str) -> int:
    """How many others it stands on."""
    return max((1 + depth(parent) for parent in _FAMILIES[family][0]), default=0)


_Maker = Callable[[Workshop, Path], None]
_COPIED = {"node": "node", "golang": "go", "rust": "rustc"}
# What each starts from, what it puts into the registry, and how it is made.
_FAMILIES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], _Maker]] = {
    "debian": ((), (f"library/debian:{SUITE}", f"library/debian:{SUITE}-slim"), _debian),
    "distroless": (
        ("debian",),
        tuple(f"distroless/{kind}-debian12:{tag}" for kind in DISTROLESS for tag in ("latest", "nonroot")),
        _distroless,
    ),
    "buildpack": (("debian",), (f"library/buildpack-deps:{SUITE}",), _buildpack),
    "python": (
        ("buildpack",),
        tuple(f"library/python:{MINOR}{slim}{suite}" for slim in ("", "-slim") for suite in ("", f"-{SUITE}")),
        _python,
    ),
    "node": (("buildpack",), (f"library/node:{NODE}-{SUITE}", f"library/node:{NODE}-{SUITE}-slim"), _node),
    "java": (("debian",), ("platform/java:17",), _java),
    "golang": (("buildpack",), (f"library/golang:1-{SUITE}",), _golang),
    "rust": (("buildpack",), (f"library/rust:1-{SUITE}",), _rust),
}
