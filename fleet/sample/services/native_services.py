"""Services in Go, Rust and Ruby, and a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from fleet.sample.plan import PATH, Plan
from fleet.sample.services.service import Service
from fleet.sample.stacks.compiled import go_build, go_modules, go_scratch, golang_image, nginx_image, rust_program
from fleet.sample.stacks.debian_base import debian_image
from fleet.sample.stacks.project import git_history
from fleet.sample.stacks.ruby import bundle_install, ruby_image
from fleet.sample.story import Release
from fleet.sample.tar import File
from fleet.sample.trees import blob, text, tree

NO_CGO = "CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/feature-flags ."


def _ingest_files(build: int) -> Iterator[File]:
    yield text("go/src/ingest/go.mod", "module example.com/platform/ingest\n\ngo 1.23\n")
    yield text("go/src/ingest/main.go", f"package main // {build}\n\nfunc main() {{}}\n")
    yield from tree("go/src/ingest/internal", 80, 900_000, suffix=".go", seed=build)
    yield from git_history("go/src/ingest", 4_000_000)


def ingest(release: Release, base: datetime) -> Plan:
    """A single static program, shipped with everything that built it."""
    module = "example.com/platform/ingest"
    plan = golang_image(base).at(release.revision_moment, "classic").workdir("/go/src/ingest")
    plan = plan.run("go mod download", go_modules, 74_000_000, release.revision).at(release.moment)
    plan = plan.copy(".", "/go/src/ingest", _ingest_files, release.number)
    size, cache = 18_000_000 + 250_000 * release.number, 7_000_000 + 1_100_000 * release.number
    plan = plan.run(
        "go build -o /usr/local/bin/ingest .", go_build, module, "usr/local/bin/ingest", size, cache, release.number
    )
    return plan.expose(9000).cmd("/usr/local/bin/ingest")


def _certificates() -> Iterator[File]:
    yield blob("etc/ssl/certs/ca-certificates.crt", 213_777, "text", head=b"-----BEGIN CERTIFICATE-----\n")


def feature_flags(release: Release, base: datetime) -> Plan:
    """Already as small as it gets."""
    plan = Plan.scratch(base).copy("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/", _certificates)
    plan = plan.at(release.moment)
    size = 8_700_000 + 30_000 * release.number
    plan = plan.copy(
        "/out/feature-flags",
        "/feature-flags",
        go_scratch,
        "feature-flags",
        size,
        "example.com/platform/feature-flags",
        release.number,
    )
    return plan.user("65532").expose(8080).entrypoint("/feature-flags")


def thumbnailer(release: Release, base: datetime) -> Plan:
    """A program with its debug information; the compiler left the image some releases ago."""
    compiler = " build-essential" if release.number < 4 else ""
    cargo = "/usr/local/cargo/bin"
    plan = debian_image(base, slim=True).env(PATH=f"{cargo}:{PATH}")
    plan = plan.apt("ca-certificates libjpeg62-turbo libpng16-16 libwebp7" + compiler)
    plan = plan.at(release.moment)
    size = 31_000_000 + 400_000 * release.number
    plan = plan.copy(
        "/usr/local/cargo/bin/thumbnailer", f"{cargo}/", rust_program, f"{cargo[1:]}/thumbnailer", size, release.number
    )
    return plan.user("65534").expose(7070).cmd("thumbnailer", "--listen", "0.0.0.0:7070")


def _bot_files(build: int) -> Iterator[File]:
    yield text("bot/Gemfile", 'source "https://rubygems.org"\ngem "sinatra"\n')
    yield text("bot/Gemfile.lock", "GEM\n  specs:\n    sinatra (4.1.1)\n")
    yield text("bot/config.ru", f"run Bot # {build}\n")
    yield from tree("bot/lib", 60, 420_000, suffix=".rb", seed=build)
    yield from tree("bot/log", 3, 900_000 * build + 60_000, suffix=".log", seed=build)
    yield from tree("bot/tmp/cache", 40, 2_200_000, seed=build)


def chat_bot(release: Release, base: datetime) -> Plan:
    plan = ruby_image(base).at(base, "classic").workdir("/bot").apt("libpq-dev", keep_lists=True, flags="")
    plan = plan.at(release.revision_moment).run("bundle install", bundle_install, release.revision)
    plan = plan.at(release.moment).copy(".", "/bot", _bot_files, release.number)
    return plan.expose(4567).cmd("bundle", "exec", "puma", "-p", "4567")


def _proxy_files(build: int) -> Iterator[File]:
    yield text(
        "etc/nginx/conf.d/default.conf",
        f"# {build}\nserver {{ listen 8080; location / {{ proxy_pass http://web; }} }}\n",
    )
    yield from tree("etc/nginx/routes", 24, 160_000, suffix=".conf", seed=build)


def proxy(release: Release, base: datetime) -> Plan:
    plan = nginx_image(base).at(release.moment, "buildkit")
    return plan.copy("conf/", "/etc/nginx/", _proxy_files, release.number).expose(8080)


SERVICES = (
    Service(
        "platform/ingest",
        "Team Platform",
        "creeping: toolchain and caches are shipped",
        ingest,
        10,
        16,
        first="0.31.0",
        revisions=(5,),
    ),
    Service("platform/feature-flags", "Team Platform", "steady and tiny", feature_flags, 12, 13, first="2.0.0"),
    Service(
        "media/thumbnailer",
        "Team Media",
        "an improvement, still with debug information",
        thumbnailer,
        8,
        33,
        first="1.2.0",
        revisions=(4,),
    ),
    Service("ops/chat-bot", "Team Operations", "creeping: logs are copied in", chat_bot, 7, 40, "date", revisions=(3,)),
    Service("edge/proxy", "Team Edge", "steady", proxy, 6, 45, first="1.0.4"),
)
