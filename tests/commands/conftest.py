"""``manage.py`` commands against a registry that answers over HTTP, with no database in reach."""

import random
from collections.abc import Callable, Iterator
from io import StringIO
from typing import NamedTuple

import pytest
from django.core.management import call_command

from fleet.oci.manifest import HistoryEntry, ImageConfig, Platform
from fleet.sample.build import BuiltImage, build_image
from tests.fakes.pushable import PushableRegistry, artifact, day, image, layer

HOSTILE = "\x1b[2J\x07"


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


def hostile_image() -> BuiltImage:
    """Paths and history that would drive a terminal, and a leaked build argument."""
    config = ImageConfig(
        Platform("linux", "amd64"),
        created=day(1),
        cmd=("/app/" + HOSTILE,),
        history=(HistoryEntry(f"RUN |1 TOKEN=hunter2 /bin/sh -c echo {HOSTILE}"),),
    )
    return build_image(config, [layer({f"tmp/{HOSTILE}": b"\1" * 5_000, "app/main": b"x"})])


def python_images() -> dict[str, dict[str, BuiltImage]]:
    """A slim Python, and a service on the same Python that carries a compiler along."""
    root = layer({"etc/os-release": b'ID=debian\nVERSION_CODENAME="bookworm"\n', "bin/sh": b"\x7fELF" + b"s" * 1_000})
    python = layer({"usr/local/bin/python3.11": b"\x7fELF" + b"p" * 5_000, "usr/local/lib/python3.11/os.py": b"#"})
    fat = layer({"usr/lib/gcc/cc1": bytes(random.Random(1).randbytes(400_000))})
    return {
        "library/python": {"3.11-slim-bookworm": image(layers=[root, python])},
        "team/fat": {"1.0": image(layers=[root, fat, python, layer({"app/main.py": b"print('hello')\n"})])},
    }


@pytest.fixture(scope="module")
def registry() -> Iterator[PushableRegistry]:
    broken = image(app=b"broken")
    images = {
        "team/app": {"1.0": image(day(1))},
        "team/broken": {"1.0": broken},
        "team/chart": {"1.0": artifact()},
        "team/hostile": {"1.0": hostile_image()},
        **python_images(),
    }
    with PushableRegistry(images) as served:
        served.damage(broken.layers[1])
        yield served


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs a command; its exit status and what it wrote."""

    def call(*arguments: str) -> Outcome:
        out, err = StringIO(), StringIO()
        status = 0
        try:
            call_command(*arguments, stdout=out, stderr=err)
        except SystemExit as exit_:
            status = int(exit_.code or 0)
        return Outcome(status, out.getvalue(), err.getvalue())

    return call
