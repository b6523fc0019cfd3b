"""Ladders of images that no engine here can build, from listings of their files: .NET's and Red Hat's bases cannot be
pulled, Alpine has no mirror here, and a Next.js build takes longer than all other tests.

Each rung that must be offered is, each other one says why not, and the Dockerfiles of the one that is recommended are
the golden ones, in both modes. ``PLIMSOLL_GOLDEN=write`` writes them anew; read the difference before you keep it.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fleet.analysis.analyse import analyse
from fleet.dockerfile.ladder import MODES, Ladder, ladder
from fleet.dockerfile.suggestion import Obstacle, Suggestion, Tier
from fleet.image.entries import ElfFacts
from fleet.image.filetree import apply_layers
from fleet.image.loading import LoadedImage
from fleet.oci.manifest import HistoryEntry, ImageConfig, Platform
from tests.dockerfile import images as i

GOLDEN = Path(__file__).parent.parent / "golden"
WORKS = "works"
LINUX = Platform("linux", "amd64")


@dataclass(frozen=True)
class Listing:
    """``rungs`` are what is expected: ``WORKS``, or a regular expression of the reason against it."""

    image: LoadedImage
    bases: Mapping[str, LoadedImage]
    dockerfile: str
    runtime: str
    rungs: Mapping[Tier, str]
    recommended: Tier


def elf(*needed: str, soname: str = "", interpreter: str = "/lib64/ld-linux-x86-64.so.2") -> ElfFacts:
    return ElfFacts("x86_64", needed=needed, soname=soname, interpreter="" if soname else interpreter, glibc=(2, 17))


def with_shebangs(image: LoadedImage) -> LoadedImage:
    """The image with the first lines of the scripts whose text is known, as reading a layer notes both."""
    layers = tuple(
        replace(layer, shebangs={**layer.shebangs, **{
            path: text.partition(b"\n")[0].decode() for path, text in layer.texts.items() if text.startswith(b"#!")
        }})
        for layer in image.layers
    )  # fmt: skip
    return replace(image, layers=layers, tree=apply_layers(layers))


def history(*steps: str) -> tuple[HistoryEntry, ...]:
    return tuple(HistoryEntry(step, empty_layer=" CMD " in step) for step in steps)


def copied(source: str, target: str) -> str:
    return f"/bin/sh -c #(nop) COPY {source}:{'e' * 64} in {target} "


DEBIAN: i.Files = {
    **i.DEBIAN,
    "usr/lib64/ld-linux-x86-64.so.2": ElfFacts("x86_64", soname="ld-linux-x86-64.so.2"),
    "usr/bin/rm": i.SHELL,
    "usr/bin/mkdir": i.SHELL,
    "usr/bin/cp": i.SHELL,
    "usr/bin/chown": i.SHELL,
    "usr/lib/x86_64-linux-gnu/perl-base/unicore.pl": 70_000_000,
    "usr/share/doc/libc6/changelog.gz": 2_000_000,
    "usr/share/man/man1/cp.1.gz": 20_000_000,
    "var/lib/dpkg/info/libc6:amd64.list": i.listing(
        f"{i.LIB}/libc.so.6", "usr/lib64/ld-linux-x86-64.so.2", "usr/share/doc/libc6/changelog.gz"
    ),
}
SLIM_DEBIAN: i.Files = {path: item for path, item in DEBIAN.items() if not re.match("usr/share/(?:doc|man)", path)}
ON_DEBIAN = "/bin/sh -c #(nop) ADD file:1 in / "
CC: i.Files = {
    "etc/passwd": i.DEBIAN["etc/passwd"],
    "etc/group": i.DEBIAN["etc/group"],
    "lib": "-> usr/lib",
    "lib64": "-> usr/lib64",
    "usr/lib64/ld-linux-x86-64.so.2": ElfFacts("x86_64", soname="ld-linux-x86-64.so.2"),
    f"{i.LIB}/libc.so.6": i.LIBC,
    f"{i.LIB}/libstdc++.so.6": elf("libc.so.6", soname="libstdc++.so.6"),
    f"{i.LIB}/libgcc_s.so.1": elf("libc.so.6", soname="libgcc_s.so.1"),
    f"{i.LIB}/libssl.so.3": elf("libc.so.6", soname="libssl.so.3"),
    "usr/share/zoneinfo/UTC": 118,
    "etc/ssl/certs/ca-certificates.crt": 200_000,
    "usr/lib/os-release": i.DEBIAN["usr/lib/os-release"],
    "etc/os-release": "-> ../usr/lib/os-release",
    "home/nonroot": i.Owned(None, 65532, 65532, 0o700),
}
DISTROLESS = i.image(CC, config=ImageConfig(LINUX, env=(i.PATH,), user="65532"))
BARE = {
    "debian:bookworm-slim": i.image(SLIM_DEBIAN, config=ImageConfig(LINUX, env=(i.PATH,), cmd=("bash",))),
    **{f"gcr.io/distroless/{kind}-debian12:nonroot": DISTROLESS for kind in ("base", "cc")},
}

# .NET: built and run in the SDK's own image.
CXX: i.Files = {
    f"{i.LIB}/libstdc++.so.6": elf("libc.so.6", soname="libstdc++.so.6"),
    f"{i.LIB}/libgcc_s.so.1": elf("libc.so.6", soname="libgcc_s.so.1"),
    f"{i.LIB}/libicuuc.so.72": elf("libc.so.6", soname="libicuuc.so.72"),
    f"{i.LIB}/libicudata.so.72": 30_000_000,
    f"{i.LIB}/libssl.so.3": elf("libc.so.6", soname="libssl.so.3"),
}
SHARED = "usr/share/dotnet/shared"
DOTNET: i.Files = {
    "usr/bin/dotnet": "-> ../share/dotnet/dotnet",
    "usr/share/dotnet/dotnet": elf("libstdc++.so.6", "libgcc_s.so.1", "libc.so.6"),
    "usr/share/dotnet/host/fxr/8.0.11/libhostfxr.so": elf("libstdc++.so.6", "libc.so.6", soname="libhostfxr.so"),
    f"{SHARED}/Microsoft.NETCore.App/8.0.11/libcoreclr.so": elf("libstdc++.so.6", "libc.so.6", soname="libcoreclr.so"),
    f"{SHARED}/Microsoft.NETCore.App/8.0.11/System.Private.CoreLib.dll": 70_000_000,
    f"{SHARED}/Microsoft.AspNetCore.App/8.0.11/Microsoft.AspNetCore.dll": 22_000_000,
}
SDK: i.Files = {
    "usr/share/dotnet/sdk/8.0.404/dotnet.dll": 300_000_000,
    "usr/share/dotnet/packs/Microsoft.NETCore.App.Ref/8.0.11/ref.dll": 90_000_000,
}
DOTNET_ENV = (i.PATH, "DOTNET_VERSION=8.0.11", "ASPNET_VERSION=8.0.11", "ASPNETCORE_HTTP_PORTS=8080")
DOTNET_APP: i.Files = {
    "src/Shop.csproj": 900,
    "src/Program.cs": 4_000,
    "root/.nuget/packages/newtonsoft.json/13.0.3/newtonsoft.json.nupkg": 2_400_000,
    "app/Shop.dll": 90_000,
    "app/Newtonsoft.Json.dll": 700_000,
    "app/Shop.runtimeconfig.json": b'{"runtimeOptions": {"framework": {"name": "Microsoft.AspNetCore.App"}}}',
    "app/Shop.deps.json": b'{"targets": {}, "libraries": {}}',
    "app/appsettings.json": 300,
}
DOTNET_DOCKERFILE = """\
FROM mcr.microsoft.com/dotnet/sdk:8.0
WORKDIR /src
COPY . .
RUN dotnet publish -c Release -o /app
WORKDIR /app
ENTRYPOINT ["dotnet", "Shop.dll"]
"""
ASPNET = i.image({**SLIM_DEBIAN, **CXX}, DOTNET, config=ImageConfig(LINUX, env=DOTNET_ENV, user=""))
DOTNET_IMAGE = i.image(
    {**DEBIAN, **CXX},
    DOTNET,
    SDK,
    DOTNET_APP,
    config=ImageConfig(
        LINUX,
        env=(*DOTNET_ENV, "DOTNET_SDK_VERSION=8.0.404"),
        entrypoint=("dotnet", "Shop.dll"),
        working_dir="/app",
        exposed_ports=("8080/tcp",),
        history=history(
            ON_DEBIAN,
            copied("dir", "/usr/share/dotnet"),
            "/bin/sh -c curl -fSL --output sdk.tar.gz https://builds.dotnet.microsoft.com/sdk.tar.gz",
            "/bin/sh -c dotnet publish -c Release -o /app",
        ),
    ),
)

# Red Hat: Node from RPM packages.
RPM_FILES = {
    "glibc": ["usr/lib64/libc.so.6", "usr/lib64/ld-linux-x86-64.so.2"],
    "bash": ["usr/bin/bash", "usr/bin/sh"],
    "coreutils-single": ["usr/bin/rm", "usr/bin/mkdir", "usr/bin/cp", "usr/bin/chown", "usr/bin/env"],
    "libstdc++": ["usr/lib64/libstdc++.so.6"],
    "openssl-libs": ["usr/lib64/libssl.so.3"],
    "ca-certificates": ["etc/pki/tls/certs/ca-bundle.crt"],
}
RPM_NODE = {
    "nodejs": ["usr/bin/node", "usr/share/doc/nodejs/api.html"],
    "nodejs-npm": ["usr/lib/node_modules/npm/bin/npm-cli.js", "usr/bin/npm"],
    "gcc-c++": ["usr/bin/g++", "usr/libexec/gcc/x86_64-redhat-linux/11/cc1plus"],
    "make": ["usr/bin/make"],
}


def rpm(packages: Mapping[str, list[str]], requires: Mapping[str, list[str]] | None = None) -> bytes:
    """A database as it is kept once it was read: a line of JSON a package, its files by directory."""
    lines = []
    for name, paths in packages.items():
        files: dict[str, list[str]] = {}
        for path in paths:
            directory, _, file = path.rpartition("/")
            files.setdefault(f"/{directory}/", []).append(file)
        asked = (requires or {}).get(name, [])
        lines.append({"name": name, "version": "1.0-1.el9", "files": files, "requires": asked, "provides": []})
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode()


UBI: i.Files = {
    "bin": "-> usr/bin",
    "lib64": "-> usr/lib64",
    "usr/bin/bash": i.SHELL,
    "usr/bin/sh": "-> bash",
    **{f"usr/bin/{name}": i.SHELL for name in ("rm", "mkdir", "cp", "chown", "env")},
    "usr/lib64/libc.so.6": ElfFacts("x86_64", soname="libc.so.6", provided_glibc=(2, 34)),
    "usr/lib64/ld-linux-x86-64.so.2": ElfFacts("x86_64", soname="ld-linux-x86-64.so.2"),
    "usr/lib64/libstdc++.so.6": elf("libc.so.6", soname="libstdc++.so.6"),
    "usr/lib64/libssl.so.3": elf("libc.so.6", soname="libssl.so.3"),
    "etc/pki/tls/certs/ca-bundle.crt": 220_000,
    "etc/ssl/certs": "-> ../pki/tls/certs",
    "usr/share/zoneinfo/UTC": 118,
    "usr/lib64/libdnf.so.2": 30_000_000,
    "usr/lib64/libpython3.9.so.1.0": 60_000_000,
    "usr/lib/os-release": b'NAME="Red Hat Enterprise Linux"\nID="rhel"\nVERSION_ID="9.5"\n',
    "etc/os-release": "-> ../usr/lib/os-release",
    "etc/passwd": b"root:x:0:0:root:/root:/bin/bash\n",
    "etc/group": b"root:x:0:\n",
    "var/lib/rpm/rpmdb.sqlite": rpm(RPM_FILES),
}
UBI_NODE: i.Files = {
    "usr/bin/node": elf("libssl.so.3", "libstdc++.so.6", "libc.so.6"),
    "usr/share/doc/nodejs/api.html": 9_000_000,
    "usr/bin/npm": "-> ../lib/node_modules/npm/bin/npm-cli.js",
    "usr/lib/node_modules/npm/bin/npm-cli.js": "#!/usr/bin/env node",
    "usr/bin/g++": i.SHELL,
    "usr/libexec/gcc/x86_64-redhat-linux/11/cc1plus": 180_000_000,
    "usr/bin/make": i.SHELL,
    "var/cache/dnf/ubi-9-appstream.solv": 40_000_000,
    "var/lib/rpm/rpmdb.sqlite": rpm(RPM_FILES | RPM_NODE),
}
UBI_APP: i.Files = {
    "opt/app-root/src/package.json": b'{"name": "shop", "dependencies": {"express": "4.21.2"}}',
    "opt/app-root/src/server.js": 3_000,
    "opt/app-root/src/node_modules/express/index.js": 2_000_000,
    "opt/app-root/src/node_modules/express/package.json": b'{"name": "express", "version": "4.21.2"}',
}
UBI_IMAGE = i.image(
    UBI,
    UBI_NODE,
    UBI_APP,
    config=ImageConfig(
        LINUX,
        env=("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",),
        cmd=("node", "server.js"),
        working_dir="/opt/app-root/src",
        user="1001",
        exposed_ports=("8080/tcp",),
        history=history(
            "/bin/sh -c #(nop) ADD file:1 in / ",
            "/bin/sh -c dnf install -y nodejs nodejs-npm gcc-c++ make",
            copied("dir", "/opt/app-root/src"),
        ),
    ),
)
UBI_DOCKERFILE = """\
FROM registry.access.redhat.com/ubi9
RUN dnf install -y nodejs nodejs-npm gcc-c++ make
WORKDIR /opt/app-root/src
COPY . .
RUN npm ci
USER 1001
EXPOSE 8080
CMD ["node", "server.js"]
"""
MINIMAL = {path: item for path, item in UBI.items() if "libpython" not in path}
UBI_BASES = {"redhat/ubi9-minimal:latest": i.image(MINIMAL, config=ImageConfig(LINUX, env=UBI_IMAGE.config.env))}

# Alpine: Python on musl, with the compiler that built a driver left in.
MUSL_LOADER = "/lib/ld-musl-x86_64.so.1"


def musl(*needed: str, soname: str = "") -> ElfFacts:
    return ElfFacts("x86_64", needed=needed, soname=soname, interpreter="" if soname else MUSL_LOADER)


MUSL = ElfFacts("x86_64", soname="libc.musl-x86_64.so.1")


def apk(packages: Mapping[str, list[str]], depends: Mapping[str, str] | None = None) -> bytes:
    stanzas = []
    for name, paths in packages.items():
        files = "".join(f"F:{path.rpartition('/')[0]}\nR:{path.rpartition('/')[2]}\n" for path in paths)
        stanzas.append(f"P:{name}\nV:1.0-r0\nD:{(depends or {}).get(name, '')}\n{files}\n")
    return "".join(stanzas).encode()


APK_BASE = {
    "musl": ["lib/ld-musl-x86_64.so.1"],
    "busybox": ["bin/busybox"],
    "libcrypto3": ["usr/lib/libcrypto.so.3"],
    "zlib": ["usr/lib/libz.so.1"],
}
APK_MORE = {
    "gcc": ["usr/bin/gcc", "usr/libexec/gcc/x86_64-alpine-linux-musl/14.2.0/cc1"],
    "musl-dev": ["usr/include/stdio.h", "usr/lib/libc.a"],
    "postgresql17-dev": ["usr/include/libpq-fe.h"],
    "libpq": ["usr/lib/libpq.so.5"],
}
ALPINE: i.Files = {
    "bin/busybox": musl("libc.musl-x86_64.so.1"),
    **{f"bin/{name}": "-> /bin/busybox" for name in ("sh", "rm", "mkdir", "cp", "chown")},
    "usr/bin/env": "-> /bin/busybox",
    "lib/ld-musl-x86_64.so.1": MUSL,
    "lib/libc.musl-x86_64.so.1": "-> ld-musl-x86_64.so.1",
    "usr/lib/libcrypto.so.3": musl("libc.musl-x86_64.so.1", soname="libcrypto.so.3"),
    "usr/lib/libz.so.1": musl("libc.musl-x86_64.so.1", soname="libz.so.1"),
    "etc/os-release": b'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.21.3\n',
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": b"root:x:0:root\n",
    "etc/ssl/certs/ca-certificates.crt": 200_000,
    "lib/apk/db/installed": apk(APK_BASE),
    "etc/apk/world": b"busybox\nmusl\n",
}
ALPINE_PYTHON: i.Files = {
    "usr/local/bin/python3.11": musl("libpython3.11.so.1.0", "libc.musl-x86_64.so.1"),
    "usr/local/lib/libpython3.11.so.1.0": musl("libc.musl-x86_64.so.1", soname="libpython3.11.so.1.0"),
    "usr/local/bin/python3": "-> python3.11",
    "usr/local/bin/python": "-> python3",
    "usr/local/lib/python3.11/os.py": 40_000_000,
    f"{i.SITE}/README.txt": 119,
    **i.distribution("pip", "23.2", scripts=["pip"]),
}
ALPINE_TOOLS: i.Files = {
    "usr/bin/gcc": musl("libc.musl-x86_64.so.1"),
    "usr/libexec/gcc/x86_64-alpine-linux-musl/14.2.0/cc1": 150_000_000,
    "usr/include/stdio.h": 8_000,
    "usr/include/libpq-fe.h": 30_000,
    "usr/lib/libc.a": 6_000_000,
    "usr/lib/libpq.so.5": musl("libcrypto.so.3", "libc.musl-x86_64.so.1", soname="libpq.so.5"),
    "lib/apk/db/installed": apk(APK_BASE | APK_MORE, {"postgresql17-dev": "libpq", "libpq": "libcrypto3"}),
    "etc/apk/world": b"busybox\nmusl\ngcc\nmusl-dev\npostgresql17-dev\n",
}
ALPINE_PACKAGES: i.Files = {
    **i.distribution("gunicorn", "23.0", scripts=["gunicorn"]),
    **i.distribution("psycopg2", "2.9"),
    f"{i.SITE}/psycopg2/_psycopg.cpython-311-x86_64-linux-musl.so": ElfFacts(
        "x86_64", needed=("libpq.so.5", "libc.musl-x86_64.so.1")
    ),
}
ALPINE_IMAGE = i.image(
    ALPINE,
    ALPINE_PYTHON,
    ALPINE_TOOLS,
    ALPINE_PACKAGES,
    {"app/shop.py": 4_000},
    config=ImageConfig(
        LINUX,
        env=i.BASE_ENV,
        cmd=("gunicorn", "shop:app"),
        working_dir="/app",
        exposed_ports=("8000/tcp",),
        history=history(
            "/bin/sh -c #(nop) ADD file:1 in / ",
            "/bin/sh -c #(nop) COPY dir:2 in /usr/local ",
            '/bin/sh -c #(nop)  CMD ["python3"]',
            "/bin/sh -c apk add gcc musl-dev postgresql17-dev",
            "/bin/sh -c pip install gunicorn psycopg2",
            copied("dir", "/app"),
        ),
    ),
)
ALPINE_DOCKERFILE = """\
FROM python:3.11-alpine
RUN apk add gcc musl-dev postgresql17-dev
RUN pip install gunicorn psycopg2
WORKDIR /app
COPY . .
EXPOSE 8000
CMD ["gunicorn", "shop:app"]
"""
ALPINE_BASES = {
    "python:3.11-alpine3.21": i.image(ALPINE, ALPINE_PYTHON, config=ImageConfig(LINUX, env=i.BASE_ENV)),
    "alpine:3.21": i.image(ALPINE, config=ImageConfig(LINUX, env=(i.PATH,))),
}

# Next.js: built where it runs, caches and development packages left in.
HANDS_OVER = b"""#!/bin/sh
set -e

if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ] || { [ -f "${1}" ] && ! [ -x "${1}" ]; }; then
  set -- node "$@"
fi

exec "$@"
"""
NODE: i.Files = {
    "usr/local/bin/node": elf("libstdc++.so.6", "libgcc_s.so.1", "libc.so.6"),
    "usr/local/bin/docker-entrypoint.sh": i.Owned(HANDS_OVER, mode=0o755),
    "usr/local/bin/npm": "-> ../lib/node_modules/npm/bin/npm-cli.js",
    "usr/local/lib/node_modules/npm/bin/npm-cli.js": "#!/usr/bin/env node",
    "usr/local/lib/node_modules/npm/package.json": b'{"name": "npm", "version": "10.8.2"}',
}
NODE_CXX = {path: item for path, item in CXX.items() if "icu" not in path}
NODE_ENV = (i.PATH, "NODE_VERSION=20.18.1")
MODULES: i.Files = {
    **{
        f"app/node_modules/{name}/package.json": json.dumps({"name": name, "version": version}).encode()
        for name, version in (("next", "14.2.18"), ("react", "18.3.1"), ("typescript", "5.6.3"), ("eslint", "8.57.1"))
    },
    "app/node_modules/next/dist/bin/next": "#!/usr/bin/env node",
    "app/node_modules/next/dist/server/lib/start-server.js": 30_000_000,
    "app/node_modules/react/index.js": 300_000,
    "app/node_modules/typescript/lib/typescript.js": 60_000_000,
    "app/node_modules/eslint/lib/api.js": 12_000_000,
    "app/node_modules/@next/swc-linux-x64-gnu/next-swc.linux-x64-gnu.node": elf("libc.so.6", soname="next-swc.node"),
    "app/node_modules/.bin/next": "-> ../next/dist/bin/next",
    "root/.npm/_cacache/content-v2/sha512/aa": 150_000_000,
}
NEXT_APP: i.Files = {
    "app/package.json": (
        b'{"name": "shop", "dependencies": {"next": "14.2.18", "react": "18.3.1"},'
        b' "devDependencies": {"typescript": "5.6.3", "eslint": "8.57.1"}}'
    ),
    "app/next.config.js": 200,
    "app/pages/index.tsx": 2_000,
    "app/public/favicon.ico": 4_000,
    "app/.next/cache/webpack/client/0.pack": 90_000_000,
    "app/.next/server/pages/index.js": 400_000,
    "app/.next/static/chunks/main.js": 900_000,
    "app/.next/BUILD_ID": 21,
}
BUILDPACK: i.Files = {
    "usr/bin/gcc": i.SHELL,
    "usr/lib/gcc/x86_64-linux-gnu/12/cc1": 250_000_000,
    f"{i.LIB}/libMagickCore-6.Q16.so.6": elf("libc.so.6", soname="libMagickCore-6.Q16.so.6"),
    "usr/share/ImageMagick-6/colors.xml": 45_000_000,
    "var/lib/dpkg/status": i.deb("libc6", "gcc", "libmagickcore-6.q16-6"),
    "var/lib/dpkg/info/gcc.list": i.listing("usr/bin/gcc", "usr/lib/gcc/x86_64-linux-gnu/12/cc1"),
    "var/lib/dpkg/info/libmagickcore-6.q16-6.list": i.listing(
        f"{i.LIB}/libMagickCore-6.Q16.so.6", "usr/share/ImageMagick-6/colors.xml"
    ),
}
NEXT_IMAGE = i.image(
    {**DEBIAN, **NODE_CXX},
    BUILDPACK,
    NODE,
    MODULES,
    NEXT_APP,
    config=ImageConfig(
        LINUX,
        env=(*NODE_ENV, "NODE_ENV=production"),
        entrypoint=("docker-entrypoint.sh",),
        cmd=("node_modules/.bin/next", "start"),
        working_dir="/app",
        exposed_ports=("3000/tcp",),
        history=history(
            ON_DEBIAN,
            "/bin/sh -c apt-get update && apt-get install -y gcc",
            "/bin/sh -c #(nop) COPY dir:2 in /usr/local ",
            '/bin/sh -c #(nop)  CMD ["node"]',
            "/bin/sh -c npm install",
            "/bin/sh -c npm run build",
        ),
    ),
)
NEXT_DOCKERFILE = """\
FROM node:20-bookworm
WORKDIR /app
COPY package*.json ./
RUN npm install
COPY . .
RUN npm run build
ENV NODE_ENV=production
EXPOSE 3000
CMD ["node_modules/.bin/next", "start"]
"""
NEXT_BASES = BARE | {
    "node:20-bookworm-slim": i.image(
        {**SLIM_DEBIAN, **NODE_CXX}, NODE,
        config=ImageConfig(LINUX, env=NODE_ENV, entrypoint=("docker-entrypoint.sh",), cmd=("node",)),
    ),
}  # fmt: skip

NO_GAIN = "no gain worth its risk"
LISTINGS = {
    "dotnet-aspnet": Listing(
        DOTNET_IMAGE,
        BARE | {"mcr.microsoft.com/dotnet/aspnet:8.0-bookworm-slim": ASPNET},
        DOTNET_DOCKERFILE,
        "dotnet",
        {"cleaned": WORKS, "slim": WORKS, "distroless": WORKS, "scratch": "ICU and OpenSSL by name"},
        "distroless",
    ),
    "ubi-node": Listing(
        UBI_IMAGE,
        UBI_BASES,
        UBI_DOCKERFILE,
        "node",
        {"cleaned": WORKS, "slim": WORKS, "distroless": "No distroless base is known", "scratch": WORKS},
        "slim",
    ),
    "alpine-python": Listing(
        ALPINE_IMAGE,
        ALPINE_BASES,
        ALPINE_DOCKERFILE,
        "python",
        {"cleaned": WORKS, "slim": NO_GAIN, "distroless": "linked with musl", "scratch": NO_GAIN},
        "cleaned",
    ),
    "next-js": Listing(
        with_shebangs(NEXT_IMAGE),
        NEXT_BASES,
        NEXT_DOCKERFILE,
        "node",
        {"cleaned": WORKS, "slim": WORKS, "distroless": WORKS, "scratch": NO_GAIN},
        "distroless",
    ),
}


@functools.cache
def climbed(name: str) -> Ladder:
    listing = LISTINGS[name]
    return ladder(listing.image, analyse(listing.image), bases=i.Served(listing.bases), dockerfile=listing.dockerfile)


def outcome(rung: Suggestion | Obstacle) -> str:
    if isinstance(rung, Obstacle):
        return rung.reason
    return WORKS if rung.usable else "; ".join(gate.detail for gate in rung.gates if not gate.passed)


@pytest.mark.parametrize("name", LISTINGS)
def test_the_runtime_is_told(name: str) -> None:
    assert analyse(LISTINGS[name].image).runtime.name == LISTINGS[name].runtime


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", LISTINGS)
def test_each_rung_is_offered_or_says_why_not(name: str, mode: str) -> None:
    found = {rung.tier: outcome(rung) for rung in climbed(name).rungs if rung.mode == mode}
    assert found.keys() == LISTINGS[name].rungs.keys()
    assert {tier: said for tier, said in found.items() if not re.search(LISTINGS[name].rungs[tier], said)} == {}


@pytest.mark.parametrize("name", LISTINGS)
def test_the_rung_to_take_is_recommended(name: str) -> None:
    recommended = climbed(name).recommended
    assert recommended is not None
    assert recommended.tier == LISTINGS[name].recommended


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", LISTINGS)
def test_the_dockerfile_is_the_golden_one(name: str, mode: str) -> None:
    path = GOLDEN / f"{name}-{mode}.Dockerfile"
    (rung,) = (rung for rung in climbed(name).rungs if (rung.mode, rung.tier) == (mode, LISTINGS[name].recommended))
    assert isinstance(rung, Suggestion)
    if os.environ.get("PLIMSOLL_GOLDEN") == "write":
        path.write_text(rung.dockerfile)
    assert rung.dockerfile == path.read_text()


def test_dotnet_keeps_what_it_loads_by_name_and_leaves_the_sdk_behind() -> None:
    rungs = (rung for rung in climbed("dotnet-aspnet").rungs if isinstance(rung, Suggestion))
    distroless = next(rung for rung in rungs if rung.tier == "distroless")
    assert "libicuuc.so.72" in distroless.dockerfile
    assert "libicudata.so.72" in distroless.dockerfile
    assert "usr/share/dotnet/shared" in distroless.dockerfile or "usr/share/dotnet/sdk" in distroless.dockerfile
    assert distroless.after.unpacked_bytes < 200_000_000


def test_the_list_of_packages_that_are_gone_stays_behind() -> None:
    written = [rung.dockerfile for rung in climbed("ubi-node").rungs if isinstance(rung, Suggestion)]
    gathered = [text for text in written if "cp -a --parents" in text]
    assert gathered
    assert not [text for text in gathered if "var/lib" in text]


def test_a_script_that_is_started_finds_what_its_first_line_names() -> None:
    written = [
        rung.dockerfile
        for rung in climbed("next-js").rungs
        if rung.tier == "distroless" and isinstance(rung, Suggestion)
    ]
    assert written
    for text in written:
        assert "usr/bin/env" in text or 'CMD ["node", ' in text or 'ENTRYPOINT ["node"' in text
