"""Node services, and a static site that used to be one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from fleet.sample.plan import Plan
from fleet.sample.services.service import Service
from fleet.sample.stacks.compiled import nginx_image
from fleet.sample.stacks.node import SERVER, WEB, manifest, node_image, npm_install
from fleet.sample.stacks.project import git_history
from fleet.sample.story import Release
from fleet.sample.tar import File
from fleet.sample.trees import text, tree

LOGIN = (*SERVER, "typescript", "eslint", "prettier", "jest", "@types/node", "ts-node", "@swc/core", "nodemon")
STOREFRONT = (*WEB, "axios", "zod", "date-fns", "typescript", "eslint", "prettier", "webpack", "@babel/core")
DOCS = ("react", "react-dom", "typescript", "eslint", "prettier", "vite", "rollup", "esbuild", "@storybook/core")


def _package_files(root: str, name: str, version: str, start: str) -> Iterator[File]:
    yield text(f"{root}/package.json", manifest(name, version, start))
    yield text(f"{root}/package-lock.json", json.dumps({"name": name, "version": version, "lockfileVersion": 3}))


def _login_files(version: str, build: int) -> Iterator[File]:
    yield from _package_files("usr/src/app", "login", version, "node dist/server.js")
    yield text("usr/src/app/tsconfig.json", '{"compilerOptions": {"outDir": "dist", "sourceMap": true}}')
    yield from tree("usr/src/app/src", 90, 760_000, suffix=".ts", seed=build)
    yield from tree("usr/src/app/test", 40, 410_000, suffix=".spec.ts", seed=build)


def _login_built(build: int) -> Iterator[File]:
    yield text("usr/src/app/dist/server.js", f"require('express')().listen(3000) // {build}\n")
    for file in tree("usr/src/app/dist", 90, 620_000, suffix=".js", seed=build):
        yield file
        yield file._replace(path=f"{file.path}.map")


def login(release: Release, base: datetime) -> Plan:
    plan = replace(node_image(base), attested=True).at(release.revision_moment, "buildkit").workdir("/usr/src/app")
    plan = plan.copy(
        "package*.json", "./", _package_files, "usr/src/app", "login", release.version, "node dist/server.js"
    )
    plan = plan.run("npm ci", npm_install, LOGIN, "usr/src/app", release.revision, 120, 34_000_000)
    plan = plan.at(release.moment).copy(".", ".", _login_files, release.version, release.number)
    plan = plan.run("npm run build", _login_built, release.number).env(NODE_ENV="production").expose(3000)
    return plan.user("node").cmd("node", "dist/server.js")


def _storefront_files(version: str, build: int) -> Iterator[File]:
    yield from _package_files("app", "storefront", version, "next start")
    yield from tree("app/pages", 120, 900_000, suffix=".tsx", seed=build)
    yield from tree("app/public/images", 60, 7_000_000 + 500_000 * build, suffix=".webp", matter="packed")
    yield from git_history("app", 6_000_000)


def _storefront_built(build: int) -> Iterator[File]:
    yield text("app/.next/BUILD_ID", f"build-{build}\n")
    yield from tree("app/.next/server", 90, 5_200_000, suffix=".js", seed=build)
    yield from tree("app/.next/static/chunks", 70, 3_100_000, suffix=".js", seed=build)
    yield from tree(
        "app/.next/cache/webpack", 16, 6_000_000 + 4_600_000 * build, suffix=".pack", matter="machine", seed=build
    )


def storefront(release: Release, base: datetime) -> Plan:
    plan = node_image(base).at(release.revision_moment, "classic").workdir("/app")
    plan = plan.copy("package.json", "/app/", _package_files, "app", "storefront", release.version, "next start")
    plan = plan.run("npm install", npm_install, STOREFRONT, "app", release.revision, 160, 41_000_000)
    plan = plan.at(release.moment).copy(".", "/app", _storefront_files, release.version, release.number)
    plan = plan.run("npm run build", _storefront_built, release.number).expose(3000)
    return plan.cmd("/bin/sh", "-c", "npm start")


def _site(root: str, build: int) -> Iterator[File]:
    yield text(f"{root}/index.html", f"<!doctype html><title>Handbook {build}</title>\n")
    yield from tree(root, 140, 4_900_000, suffix=".html", seed=build)
    yield from tree(f"{root}/assets", 40, 9_600_000, suffix=".png", matter="packed")
    yield from tree(f"{root}/js", 12, 1_800_000, suffix=".js", seed=build)


def docs_site(release: Release, base: datetime) -> Plan:
    """Served by the development server until a release copied the built site to nginx."""
    if release.number >= 6:
        plan = nginx_image(base).at(release.moment, "buildkit")
        return plan.copy("/site/dist", "/usr/share/nginx/html", _site, "usr/share/nginx/html", release.number)
    plan = node_image(base).at(release.revision_moment, "buildkit").workdir("/site")
    plan = plan.run("npm install", npm_install, DOCS, "site", release.revision, 60, 12_000_000)
    plan = plan.at(release.moment).copy(".", ".", _site, "site/docs", release.number)
    return plan.expose(5173).cmd("npm", "run", "dev")


SERVICES = (
    Service(
        "identity/login",
        "Team Identity",
        "steady, with development dependencies",
        login,
        11,
        17,
        first="4.0.2",
        revisions=(6,),
    ),
    Service("web/storefront", "Team Web", "creeping: the build cache is kept", storefront, 10, 14, "date"),
    Service(
        "web/docs-site", "Team Developer Experience", "an improvement: moved to nginx", docs_site, 9, 28, first="0.9.0"
    ),
)
