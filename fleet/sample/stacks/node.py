"""``node:20`` and what npm installs. Layout: https://docs.npmjs.com/cli/v10/configuring-npm/folders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from fleet.sample.elf import LOADER, Program, elf_file
from fleet.sample.plan import Plan
from fleet.sample.stacks.debian_base import buildpack, debian_image, script
from fleet.sample.tar import File, symlink
from fleet.sample.trees import blob, seed_of, shares, text, tree

VERSION = "20.18.1"
ENTRYPOINT = """set -e
if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ]; then
  set -- node "$@"
fi
exec "$@"
"""
# name: (version, KiB); what a service needs to run, and what only its developers need.
SERVER = {
    "express": ("4.21.2", 220), "body-parser": ("1.20.3", 60), "passport": ("0.7.0", 130),
    "jsonwebtoken": ("9.0.2", 60),
    "bcrypt": ("5.1.1", 900), "pg": ("8.13.1", 140), "ioredis": ("5.4.1", 900), "pino": ("9.5.0", 640),
    "zod": ("3.24.0", 3_900),
    "axios": ("1.7.9", 2_100), "lodash": ("4.17.21", 4_900), "moment": ("2.30.1", 4_300), "uuid": ("11.0.3", 360),
    "@aws-sdk/client-ses": ("3.709.0", 5_200), "openid-client": ("6.1.7", 700), "helmet": ("8.0.0", 100),
    "prom-client": ("15.1.3", 190), "date-fns": ("4.1.0", 22_000),
}  # fmt: skip
WEB = {
    "next": ("15.1.0", 128_000), "react": ("19.0.0", 170), "react-dom": ("19.0.0", 6_300), "sharp": ("0.33.5", 9_800),
    "@next/swc-linux-x64-gnu": ("15.1.0", 118_000), "@img/sharp-libvips-linux-x64": ("1.0.4", 15_200),
    "three": ("0.171.0", 23_000), "chart.js": ("4.4.7", 5_900), "@sentry/nextjs": ("8.42.0", 9_000),
    "swr": ("2.2.5", 240),
}  # fmt: skip
TOOLS = {
    "typescript": ("5.7.2", 22_900), "eslint": ("9.16.0", 3_600), "prettier": ("3.4.2", 8_300),
    "jest": ("29.7.0", 1_100),
    "webpack": ("5.97.1", 5_600), "@babel/core": ("7.26.0", 3_100), "@types/node": ("22.10.1", 2_300),
    "nodemon": ("3.1.7", 400),
    "ts-node": ("10.9.2", 1_200), "esbuild": ("0.24.0", 10_300), "@swc/core": ("1.10.0", 33_000),
    "playwright-core": ("1.49.0", 8_900),
    "rollup": ("4.28.1", 5_400), "vite": ("6.0.3", 8_100), "@storybook/core": ("8.4.7", 26_000),
    "caniuse-lite": ("1.0.30001687", 2_300),
}  # fmt: skip


def node_image(moment: datetime, *, slim: bool = False) -> Plan:
    """``node:20``, on buildpack-deps unless slim."""
    plan = debian_image(moment, slim=True) if slim else buildpack(moment, "curl", "scm", "full")
    plan = plan.run(
        "groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node", _user
    )
    plan = plan.env(NODE_VERSION=VERSION).run(
        'ARCH= && dpkgArch="$(dpkg --print-architecture)" && curl -fsSLO node.tar.xz', _runtime
    )
    plan = plan.env(YARN_VERSION="1.22.22").run("set -ex && curl -fsSLO yarn-v$YARN_VERSION.tar.gz", _yarn)
    plan = plan.copy(
        "docker-entrypoint.sh", "/usr/local/bin/", script, "usr/local/bin/docker-entrypoint.sh", "/bin/sh", ENTRYPOINT
    )
    return plan.entrypoint("docker-entrypoint.sh").cmd("node")


def _user() -> Iterator[File]:
    yield text("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nnode:x:1000:1000::/home/node:/bin/bash\n")
    yield text("etc/group", "root:x:0:\nnode:x:1000:\n")
    yield File("home/node/.bashrc", b"# ~/.bashrc\n", uid=1000, gid=1000)


def _runtime() -> Iterator[File]:
    needed = ("libdl.so.2", "libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "libc.so.6")
    main = Program(LOADER, needed, glibc=("GLIBC_2.17", "GLIBC_2.28"), stripped=False)
    yield File("usr/local/bin/node", elf_file(main, 98_700_000), 0o755)
    yield symlink("usr/local/bin/nodejs", "node")
    yield from tree("usr/local/include/node", 320, 5_900_000, suffix=".h")
    yield text("usr/local/lib/node_modules/npm/package.json", json.dumps({"name": "npm", "version": "10.8.2"}))
    yield text(
        "usr/local/lib/node_modules/npm/bin/npm-cli.js",
        "#!/usr/bin/env node\nrequire('../lib/cli.js')(process)\n",
        0o755,
    )
    yield symlink("usr/local/bin/npm", "../lib/node_modules/npm/bin/npm-cli.js")
    yield from tree("usr/local/lib/node_modules/npm/lib", 260, 1_700_000, suffix=".js")
    yield from tree("usr/local/lib/node_modules/npm/docs", 160, 3_800_000, suffix=".md")
    yield from tree("usr/local/lib/node_modules/corepack/dist", 20, 1_100_000, suffix=".cjs")
    yield from tree("usr/local/share/doc/node", 4, 90_000)
    yield blob("usr/local/share/man/man1/node.1", 28_000, "text")


def _yarn() -> Iterator[File]:
    yield text("opt/yarn-v1.22.22/package.json", json.dumps({"name": "yarn", "version": "1.22.22"}))
    yield blob("opt/yarn-v1.22.22/lib/cli.js", 5_100_000, "text")
    yield text("opt/yarn-v1.22.22/bin/yarn", "#!/bin/sh\nexec node yarn.js\n", 0o755)
    yield symlink("usr/local/bin/yarn", "/opt/yarn-v1.22.22/bin/yarn")


def modules(names: Sequence[str], root: str, revision: int, *, small: int) -> Iterator[File]:
    """``node_modules`` of the named packages and ``small`` little ones that they bring, with npm's own record."""
    table = {**SERVER, **WEB, **TOOLS}
    wanted = {name: table[name] for name in names}
    wanted |= {f"tiny-{seed_of(root, n) % 90_000}": (f"1.{n % 9}.0", 8 + seed_of(n) % 60) for n in range(small)}
    record = {}
    for name, (version, kib) in wanted.items():
        bumped = ".".join([*version.split(".")[:2], str(int(version.split(".")[2]) + revision)])
        record[f"node_modules/{name}"] = {"version": bumped}
        yield from _package(f"{root}/node_modules/{name}", name, bumped, kib)
    yield text(f"{root}/node_modules/.package-lock.json", json.dumps({"lockfileVersion": 3, "packages": record}))


def _package(root: str, name: str, version: str, kib: int) -> Iterator[File]:
    yield text(f"{root}/package.json", json.dumps({"name": name, "version": version, "main": "index.js"}))
    yield blob(f"{root}/README.md", min(24_000, kib * 60), "text")
    size = kib * 1000
    if name == "bcrypt" or "linux-x64" in name:
        program = Program(needed=("libstdc++.so.6", "libc.so.6"), glibc=("GLIBC_2.17",))
        yield File(
            f"{root}/lib/binding/{name.rpartition('/')[2]}.node",
            elf_file(program, size * 9 // 10, seed_of(name) % 64),
            0o755,
        )
        size //= 10
    files = max(2, min(70, kib // 20))
    for position, part in enumerate(shares(size, files, seed_of(name))):
        stem = f"{root}/dist/module_{position}" if position else f"{root}/index"
        yield blob(f"{stem}.js", part * 6 // 10, "text")
        yield blob(f"{stem}.js.map" if position % 3 == 0 else f"{stem}.d.ts", part * 4 // 10, "text")


def npm_cache(size_bytes: int, seed: int) -> Iterator[File]:
    """What ``npm ci`` keeps in the home directory."""
    return tree("root/.npm/_cacache/content-v2/sha512", 120, size_bytes, matter="packed", seed=seed)


def npm_install(names: tuple[str, ...], root: str, revision: int, small: int, cache_bytes: int) -> Iterator[File]:
    yield from modules(names, root, revision, small=small)
    if cache_bytes:
        yield from npm_cache(cache_bytes, revision)


def manifest(name: str, version: str, start: str) -> str:
    """A ``package.json`` of a service."""
    needs = {package: f"^{version}" for package, (version, _) in SERVER.items()}
    tools = {package: f"^{version}" for package, (version, _) in TOOLS.items()}
    return json.dumps(
        {"name": name, "version": version, "private": True, "scripts": {"start": start, "build": "tsc -p ."},
         "dependencies": needs, "devDependencies": tools}, indent=2,
    )  # fmt: skip
