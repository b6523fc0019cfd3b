"""Go, Rust and nginx: toolchain images and programs that need little or nothing around them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from fleet.sample.elf import LOADER, Program, elf_file
from fleet.sample.plan import Plan
from fleet.sample.stacks.debian_base import buildpack, debian_image, script
from fleet.sample.tar import File, directory, symlink
from fleet.sample.trees import blob, seed_of, text, tree

GO_VERSION = "1.23.4"
NGINX_VERSION = "1.27.3"


def golang_image(moment: datetime) -> Plan:
    """``golang:1.23``: compilers for cgo and the Go distribution."""
    plan = buildpack(moment, "curl", "scm").apt("g++ gcc libc6-dev make")
    plan = plan.env(GOLANG_VERSION=GO_VERSION, GOTOOLCHAIN="local", GOPATH="/go").env(
        PATH="/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    )
    plan = plan.copy("/target/", "/", _go_distribution)
    return (
        plan.run('mkdir -p "$GOPATH/src" "$GOPATH/bin" && chmod -R 1777 "$GOPATH"', _go_path).workdir("/go").cmd("bash")
    )


def _go_distribution() -> Iterator[File]:
    root = "usr/local/go"
    yield text(f"{root}/VERSION", f"go{GO_VERSION}\n")
    for name, size in (("go", 12_900_000), ("gofmt", 2_800_000)):
        yield go_program(f"{root}/bin/{name}", size, f"cmd/{name}")
    for name, size in (
        ("compile", 25_000_000),
        ("link", 7_800_000),
        ("asm", 5_400_000),
        ("vet", 9_100_000),
        ("cgo", 4_800_000),
    ):
        yield go_program(f"{root}/pkg/tool/linux_amd64/{name}", size, f"cmd/{name}")
    yield from tree(f"{root}/src", 900, 88_000_000, suffix=".go")
    yield from tree(f"{root}/test", 260, 9_800_000, suffix=".go")
    yield from tree(f"{root}/api", 30, 6_400_000, suffix=".txt")


def _go_path() -> Iterator[File]:
    for path in ("go", "go/src", "go/bin"):
        yield directory(path, 0o1777)


def go_program(path: str, size_bytes: int, module: str, *, stripped: bool = True) -> File:
    """A static executable that carries Go's build information."""
    program = Program(go_version=f"go{GO_VERSION}", go_module=module, stripped=stripped)
    return File(path, elf_file(program, size_bytes, seed_of(path) % 64), 0o755)


def go_scratch(path: str, size_bytes: int, module: str, build: int) -> Iterator[File]:
    """A Go program alone; ``build`` tells builds of one size apart."""
    program = Program(go_version=f"go{GO_VERSION}", go_module=module)
    yield File(path, elf_file(program, size_bytes, build), 0o755)


def go_build(module: str, target: str, size_bytes: int, cache_bytes: int, build: int) -> Iterator[File]:
    """What ``go build`` leaves: the program, the build cache."""
    program = Program(go_version=f"go{GO_VERSION}", go_module=module, stripped=False)
    yield File(target, elf_file(program, size_bytes, build), 0o755)
    yield from tree("root/.cache/go-build", 260, cache_bytes, suffix="-d", matter="machine", seed=build)


def go_modules(size_bytes: int, revision: int) -> Iterator[File]:
    """What ``go mod download`` leaves."""
    half = size_bytes // 5
    yield from tree("go/pkg/mod/cache/download", 60, half, suffix=".zip", matter="packed", seed=revision)
    yield from tree("go/pkg/mod/github.com", 700, size_bytes - half, suffix=".go", seed=revision)


def rust_program(path: str, size_bytes: int, build: int) -> Iterator[File]:
    """A Rust executable for glibc, unstripped: it keeps its symbols and debug information."""
    needed = ("libgcc_s.so.1", "libm.so.6", "libc.so.6")
    program = Program(LOADER, needed, glibc=("GLIBC_2.2.5", "GLIBC_2.34"), stripped=False)
    yield File(path, elf_file(program, size_bytes, build), 0o755)


def nginx_image(moment: datetime) -> Plan:
    """``nginx:1.27`` on bookworm-slim."""
    plan = debian_image(moment, slim=True).label(vendor="NGINX Docker Maintainers")
    plan = plan.env(NGINX_VERSION=NGINX_VERSION).apt("ca-certificates curl libxslt1.1 libxml2 libssl3")
    plan = plan.run(
        "set -x && groupadd --system --gid 101 nginx && apt-get install -y nginx=${NGINX_VERSION}-1~bookworm", _nginx
    )
    for name in ("docker-entrypoint.sh", "10-listen-on-ipv6-by-default.sh", "20-envsubst-on-templates.sh"):
        where = "" if name == "docker-entrypoint.sh" else "docker-entrypoint.d/"
        lines = 'set -e\nexec "$@"\n' if not where else "exit 0\n"
        plan = plan.copy(name, f"/{where}", script, f"{where}{name}", "/bin/sh", lines)
    return plan.entrypoint("/docker-entrypoint.sh").expose(80).cmd("nginx", "-g", "daemon off;")


def _nginx() -> Iterator[File]:
    needed = ("libcrypt.so.1", "libpcre2-8.so.0", "libssl.so.3", "libcrypto.so.3", "libz.so.1", "libc.so.6")
    main = Program(LOADER, needed, glibc=("GLIBC_2.14", "GLIBC_2.34"))
    yield File("usr/sbin/nginx", elf_file(main, 1_520_000), 0o755)
    yield File("usr/sbin/nginx-debug", elf_file(main, 1_690_000, 9), 0o755)
    for name, size in (("geoip", 62_000), ("image_filter", 31_000), ("njs", 3_900_000), ("xslt_filter", 26_000)):
        program = Program(needed=("libc.so.6",), glibc=("GLIBC_2.14",))
        yield File(f"usr/lib/nginx/modules/ngx_http_{name}_module.so", elf_file(program, size))
    yield text(
        "etc/nginx/nginx.conf", "user nginx;\nworker_processes auto;\nhttp { include /etc/nginx/conf.d/*.conf; }\n"
    )
    yield text("etc/nginx/conf.d/default.conf", "server { listen 80; root /usr/share/nginx/html; }\n")
    yield blob("etc/nginx/mime.types", 5_349, "text")
    yield text("usr/share/nginx/html/index.html", "<h1>Welcome</h1>\n")
    yield symlink("var/log/nginx/access.log", "/dev/stdout")
    yield symlink("var/log/nginx/error.log", "/dev/stderr")
