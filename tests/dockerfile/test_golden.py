"""Whole Dockerfiles against files that were read with care, and against the linter and BuildKit's parser.

``PLIMSOLL_GOLDEN=write`` writes them anew; read the difference before you keep it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dockerfile import images as i

GOLDEN = Path(__file__).parent.parent / "golden"
RULES = "DL3025,DL3002,DL3006,DL3007,DL3042"

LIBPQ = {
    f"{i.LIB}/libpq.so.5.15": i.ElfFacts("x86_64", needed=("libgss.so.2", "libc.so.6"), soname="libpq.so.5"),
    f"{i.LIB}/libpq.so.5": "-> libpq.so.5.15",
    f"{i.LIB}/libgss.so.2": i.ElfFacts("x86_64", needed=("libc.so.6",), soname="libgss.so.2"),
    "usr/bin/jq": i.SHELL,
    "var/lib/dpkg/status": i.deb("libc6", "gcc", "libpq5", "jq", depends={"libpq5": "libgss2, libc6"}),
    "var/lib/dpkg/info/libpq5:amd64.list": i.listing(f"{i.LIB}/libpq.so.5.15", f"{i.LIB}/libpq.so.5"),
    "var/lib/dpkg/info/jq.list": i.listing("usr/bin/jq"),
}
PSYCOPG = {
    **i.distribution("psycopg2"),
    f"{i.SITE}/psycopg2/_psycopg.cpython-311-x86_64-linux-gnu.so": i.ElfFacts(
        "x86_64", needed=("libpq.so.5",), glibc=(2, 17)
    ),
}
ACCOUNTS = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nshop:x:1000:1000::/home/shop:/bin/sh\n",
    "etc/group": b"root:x:0:\nshop:x:1000:\n",
    "home/shop": i.Owned(None, 1000, 1000, 0o700),
    "home/shop/.bashrc": i.Owned(3_000, 1000, 1000),
}
SHOP = i.service(
    ("/bin/sh -c apt-get update && apt-get install -y libpq-dev jq gcc", LIBPQ),
    ("/bin/sh -c pip install psycopg2", PSYCOPG),
    ("/bin/sh -c useradd -m shop", ACCOUNTS),
    (f"/bin/sh -c #(nop) COPY file:{'c' * 64} in /entrypoint.sh ", {"entrypoint.sh": "#!/bin/sh"}),
    ("/bin/sh -c mkdir /media && chown shop /srv/media", {"srv/media": i.Owned(None, 1000, 0, 0o1777)}),
    config=i.replace(
        i.CONFIG,
        user="shop",
        entrypoint=("/entrypoint.sh",),
        cmd=("gunicorn", "site.wsgi"),
        env=(*i.BASE_ENV, 'GREETING=say "hi" to $HOME \\ now', "DB_PASSWORD=x"),
        volumes=("/srv/media",),
        labels={"org.opencontainers.image.title": 'The "shop"'},
        healthcheck=i.Healthcheck(("CMD-SHELL", "python -c 'import site' || exit 1"), 30_000_000_000, 1_500_000_000),
    ),
)
SHOP_DOCKERFILE = """\
ARG PYTHON=3.11
FROM python:${PYTHON}
RUN apt-get update && apt-get install -y libpq-dev jq gcc
# Who built it
ARG REVISION
LABEL revision=$REVISION
RUN useradd -m shop
WORKDIR /app
COPY requirements.txt ./
RUN pip install -r requirements.txt psycopg2
COPY . .
COPY entrypoint.sh /
USER shop
ENTRYPOINT ["/entrypoint.sh"]
CMD ["gunicorn", "site.wsgi"]
"""
ALREADY_VENV = i.service(
    steps=(
        (
            f"/bin/sh -c #(nop) COPY dir:{'1' * 64} in /opt/venv ",
            {
                "opt/venv/pyvenv.cfg": b"home = /usr/local/bin\n",
                "opt/venv/bin/python": "-> /usr/local/bin/python",
                **i.distribution("django", scripts=["django-admin"], site="opt/venv/lib/python3.11/site-packages"),
            },
        ),
        (f"/bin/sh -c #(nop) COPY dir:{'2' * 64} in /srv/site ", {"srv/site/manage.py": "#!/usr/bin/env python"}),
    ),
    config=i.replace(
        i.CONFIG,
        env=("PATH=/opt/venv/bin:" + i.PATH[5:], *i.BASE_ENV[1:]),
        working_dir="/srv/site",
        cmd=("/bin/sh", "-c", "python manage.py serve --port ${PORT:-8000}"),
    ),
)
ALREADY_VENV_DOCKERFILE = """\
FROM python:3.11 AS deps
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir django

FROM python:3.11 AS runtime
ENV PATH=/opt/venv/bin:$PATH
COPY --from=deps /opt/venv /opt/venv
WORKDIR /srv/site
COPY . .
EXPOSE 8000
CMD python manage.py serve --port ${PORT:-8000}
"""

CASES = {
    "traditional-repack": lambda: i.repacked(i.service()),
    "traditional-rebuild": lambda: i.rebuilt(i.service()),
    "traditional-outline": lambda: i.rebuilt(i.service(), None),
    "shop-repack": lambda: i.repacked(SHOP),
    "shop-rebuild": lambda: i.rebuilt(SHOP, SHOP_DOCKERFILE),
    "venv-repack": lambda: i.repacked(ALREADY_VENV),
    "venv-rebuild": lambda: i.rebuilt(ALREADY_VENV, ALREADY_VENV_DOCKERFILE),
}


@pytest.mark.parametrize("name", CASES)
def test_the_dockerfile_is_the_golden_one(name):
    path = GOLDEN / f"{name}.Dockerfile"
    text = CASES[name]().dockerfile
    if os.environ.get("PLIMSOLL_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("name", CASES)
def test_all_gates_pass_but_those_of_guessed_sources(name):
    assert i.failed(CASES[name]()) == (["sources are known"] if name.endswith("outline") else [])


@pytest.mark.parametrize("name", CASES)
def test_only_what_every_builder_understands_is_used(name):
    text = CASES[name]().dockerfile
    assert not any(word in text for word in ("# syntax", "--mount", "--chmod", "--link", "--parents", "<<"))


@pytest.mark.parametrize("name", CASES)
def test_the_linter_finds_no_error(name):
    beside = Path(sys.executable).with_name("hadolint")
    program = str(beside) if beside.exists() else shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed")
    text = CASES[name]().dockerfile
    strict = [f"--error={rule}" for rule in RULES.split(",")]
    found = subprocess.run(
        [program, "--failure-threshold=error", *strict, "-"], input=text, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout
