"""A full and a slim Python base and images made on them, from dictionaries.

Content is a number (a file of that size), bytes (a text that is kept), ``"-> x"`` (a symlink), ``"#!x"`` (a script), or
``ElfFacts``; ``Owned`` gives it another owner or mode, and with None as its content it is a directory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from fleet.analysis.analyse import analyse
from fleet.dockerfile.bases import base_image, scratch_base
from fleet.dockerfile.suggest import suggest
from fleet.image.entries import ElfFacts, Entry, LayerIndex
from fleet.image.filetree import apply_layers
from fleet.image.loading import LoadedImage
from fleet.oci.manifest import Descriptor, Healthcheck, HistoryEntry, ImageConfig, Manifest, Platform  # noqa: F401

Content = int | bytes | str | ElfFacts | None
SITE = "usr/local/lib/python3.11/site-packages"
LIB = "usr/lib/x86_64-linux-gnu"
PATH = "PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BASE_ENV = (PATH, "LANG=C.UTF-8", "PYTHON_VERSION=3.11.7")
LIBC = ElfFacts("x86_64", soname="libc.so.6", provided_glibc=(2, 36))
SHELL = ElfFacts("x86_64", needed=("libc.so.6",))


class Owned(NamedTuple):
    content: Content
    uid: int = 0
    gid: int = 0
    mode: int | None = None


Files = Mapping[str, Content | Owned]


def entry(path: str, item: Content | Owned) -> Entry:
    content, uid, gid, mode = item if isinstance(item, Owned) else Owned(item)
    match content:
        case None:
            kind, size, link, usual = "directory", 0, "", 0o755
        case bytes():
            kind, size, link, usual = "file", len(content), "", 0o644
        case int():
            kind, size, link, usual = "file", content, "", 0o644
        case ElfFacts():
            kind, size, link, usual = "file", 50_000, "", 0o755
        case str() if content.startswith("-> "):
            kind, size, link, usual = "symlink", len(content) - 3, content[3:], 0o777
        case _:
            kind, size, link, usual = "file", 100, "", 0o755
    return Entry(path, kind, size, size // 3, usual if mode is None else mode, uid, gid, link)


def layer(position: int, files: Files) -> LayerIndex:
    plain = {path: item.content if isinstance(item, Owned) else item for path, item in files.items()}
    parents = {path[:i] for path in files for i, char in enumerate(path) if char == "/"} - files.keys()
    entries = (
        *(Entry(path, "directory", 0, 0, 0o755) for path in sorted(parents)),
        *(entry(path, item) for path, item in files.items()),
    )
    return LayerIndex(
        digest=f"sha256:{position:064x}",
        diff_id=f"sha256:{position + 1000:064x}",
        media_type="application/vnd.oci.image.layer.v1.tar+gzip",
        compressed_bytes=sum(each.compressed_bytes for each in entries),
        unpacked_bytes=sum(each.size_bytes for each in entries),
        entries=entries,
        texts={path: content for path, content in plain.items() if isinstance(content, bytes)},
        elf={path: content for path, content in plain.items() if isinstance(content, ElfFacts)},
        shebangs={path: text for path, text in plain.items() if isinstance(text, str) and text.startswith("#!")},
    )


def image(*layers: Files, config: ImageConfig, name: str = "registry.test/team/app") -> LoadedImage:
    indexes = tuple(layer(position, files) for position, files in enumerate(layers))
    manifest = Manifest(
        "application/vnd.oci.image.manifest.v1+json",
        Descriptor("application/vnd.oci.image.config.v1+json", f"sha256:{'c' * 64}", 0),
        tuple(Descriptor(each.media_type, each.digest, each.compressed_bytes) for each in indexes),
    )
    descriptor = Descriptor(manifest.media_type, f"sha256:{'d' * 64}", 700)
    return LoadedImage(name, descriptor, manifest, config, indexes, apply_layers(indexes))


def deb(*packages: str, depends: Mapping[str, str] | None = None) -> bytes:
    """A dpkg status file."""
    lines = (
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0\n"
        f"Depends: {(depends or {}).get(name, '')}\n"
        for name in packages
    )
    return "\n".join(lines).encode()


def listing(*paths: str) -> bytes:
    return "".join(f"/{path}\n" for path in paths).encode()


def distribution(name: str, version: str = "1.0", *, scripts: Sequence[str] = (), site: str = SITE) -> Files:
    """An installed distribution: a package of 20,000 bytes, its metadata, and console scripts."""
    info = f"{site}/{name}-{version}.dist-info"
    rows = [f"{name}/__init__.py,,", f"{name}-{version}.dist-info/METADATA,,", f"{name}-{version}.dist-info/RECORD,,"]
    depth = "/".join([".."] * 3)
    rows += [f"{depth}/bin/{script},," for script in scripts]
    prefix = site.partition("/lib/python")[0]
    return {
        f"{site}/{name}/__init__.py": 20_000,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/RECORD": "\n".join(rows).encode(),
        **{f"{prefix}/bin/{script}": "#!/usr/local/bin/python3.11" for script in scripts},
    }


DEBIAN: Files = {
    "lib": "-> usr/lib",
    "lib64": "-> usr/lib64",
    "bin": "-> usr/bin",
    "usr/bin/dash": SHELL,
    "usr/bin/sh": "-> dash",
    "usr/bin/cp": SHELL,
    "usr/bin/rm": SHELL,
    "usr/bin/env": SHELL,
    f"{LIB}/libc.so.6": LIBC,
    "usr/share/zoneinfo/UTC": 118,
    "usr/lib/os-release": b'ID=debian\nVERSION_CODENAME=bookworm\nVERSION_ID="12"\n',
    "etc/os-release": "-> ../usr/lib/os-release",
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": b"root:x:0:\n",
    "home": None,
    "var/lib/dpkg/status": deb("libc6"),
    "var/lib/dpkg/info/libc6:amd64.list": listing(f"{LIB}/libc.so.6"),
}
DISTROLESS: Files = {
    "lib/x86_64-linux-gnu/libc.so.6": LIBC,
    "etc/passwd": b"root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532::/home/nonroot:/sbin/nologin\n",
    "etc/group": b"root:x:0:\n",
    "etc/ssl/certs/ca-certificates.crt": 200_000,
    "usr/share/zoneinfo/UTC": 118,
    "tmp": Owned(None, mode=0o1777),
}
PYTHON: Files = {
    "usr/local/bin/python3.11": ElfFacts("x86_64", needed=("libc.so.6",)),
    "usr/local/bin/python3": "-> python3.11",
    "usr/local/bin/python": "-> python3",
    "usr/local/bin/pip": "#!/usr/local/bin/python3.11",
    "usr/local/lib/python3.11/os.py": 40_000,
    f"{SITE}/README.txt": 119,
    **distribution("pip", "23.2", scripts=["pip"]),
    **distribution("setuptools", "65.5"),
}
COMPILER: Files = {
    "usr/bin/gcc": ElfFacts("x86_64", needed=("libc.so.6",)),
    "usr/lib/gcc/cc1": 900_000_000,
    "var/lib/dpkg/status": deb("libc6", "gcc"),
    "var/lib/dpkg/info/gcc.list": listing("usr/bin/gcc", "usr/lib/gcc/cc1"),
}
BASE_HISTORY = (
    HistoryEntry("/bin/sh -c #(nop) ADD file:1 in / "),
    HistoryEntry("/bin/sh -c apt-get update && apt-get install -y gcc"),
    HistoryEntry("/bin/sh -c #(nop) COPY dir:2 in /usr/local "),
    HistoryEntry('/bin/sh -c #(nop)  CMD ["python3"]', empty_layer=True),
)
CONFIG = ImageConfig(
    platform=Platform("linux", "amd64"),
    env=BASE_ENV,
    cmd=("/bin/sh", "-c", "python /app/manage.py runserver 0.0.0.0:8000"),
    working_dir="/app",
    exposed_ports=("8000/tcp",),
)
SLIM = image(DEBIAN, PYTHON, config=ImageConfig(Platform("linux", "amd64"), env=BASE_ENV, cmd=("python3",)))
DJANGO: Files = {
    **distribution("django", "5.2", scripts=["django-admin"]),
    **distribution("gunicorn", scripts=["gunicorn"]),
}
APP: Files = {
    "app/manage.py": "#!/usr/bin/env python",
    "app/site/settings.py": 2_000,
    "app/.git/objects/pack": 5_000_000,
}
STEPS = (
    ("/bin/sh -c #(nop) WORKDIR /app", {"app": None}),
    (f"/bin/sh -c #(nop) COPY file:{'a' * 64} in /app/ ", {"app/requirements.txt": b"django\n"}),
    ("/bin/sh -c pip install -r requirements.txt", DJANGO),
    (f"/bin/sh -c #(nop) COPY dir:{'b' * 64} in /app ", APP),
)
TRADITIONAL = """\
FROM python:3.11

WORKDIR /app
COPY requirements.txt /app/
RUN pip install -r requirements.txt

# Everything
COPY . /app

EXPOSE 8000
CMD python /app/manage.py runserver 0.0.0.0:8000
"""


def service(
    *more: tuple[str, Files], config: ImageConfig = CONFIG, steps: Sequence[tuple[str, Files]] = STEPS
) -> LoadedImage:
    """A service on the full base: the given steps, each with what it adds."""
    every = (*steps, *more)
    history = (*BASE_HISTORY, *(HistoryEntry(created_by) for created_by, _ in every))
    contents = (files for _, files in every)
    return image(DEBIAN, COMPILER, PYTHON, *contents, config=replace(config, history=history))


class Served:
    """Bases that are there by name, as a registry would serve them."""

    def __init__(self, bases: Mapping[str, LoadedImage]) -> None:
        self.bases = bases

    def find(self, candidates):
        if "scratch" in candidates:
            return scratch_base()
        found = next((name for name in candidates if name in self.bases), None)
        return base_image(found, f"sha256:{'5' * 64}", self.bases[found]) if found else None

    def refusal(self, candidates):
        return ""

    def pin(self, reference):
        return f"{reference}@sha256:{'6' * 64}" if reference == "python:3.11" else None


def repacked(loaded: LoadedImage, bases=None):
    return suggest(loaded, analyse(loaded), mode="repack", bases=bases or Served({"python:3.11-slim": SLIM}))


def rebuilt(loaded: LoadedImage, dockerfile: str | None = TRADITIONAL, bases=None):
    bases = bases or Served({"python:3.11-slim": SLIM})
    return suggest(loaded, analyse(loaded), mode="rebuild", bases=bases, dockerfile=dockerfile)


def failed(suggestion) -> list[str]:
    return [gate.name for gate in suggestion.gates if not gate.passed]
