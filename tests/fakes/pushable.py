"""The sample registry with what a test needs to do to it while it serves: push, delete, damage; and small images."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fleet.oci.manifest import HistoryEntry, ImageConfig, Platform
from fleet.sample.build import BuiltImage, Bytes, Document, Layer, Published, build_image, build_layer, sha256
from fleet.sample.registry import ReadOnlyRegistry, Request, Response
from fleet.sample.tar import File, with_parents

FIRST_DAY = datetime(2024, 1, 1, 12, tzinfo=UTC)


def day(number: int) -> datetime:
    return FIRST_DAY + timedelta(days=number)


def layer(files: Mapping[str, bytes]) -> Layer:
    return build_layer(tuple(with_parents(File(path, content) for path, content in files.items())))


@dataclass(frozen=True, slots=True)
class RawLayer(Bytes):
    """A layer of ``tarfile``, which writes names that are not UTF-8."""

    diff_id: str


def raw_layer(files: Mapping[str, bytes]) -> RawLayer:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return RawLayer(gzip.compress(stream.getvalue(), mtime=0), sha256(stream.getvalue()))


BASE = layer({"etc/os-release": b'ID=debian\nVERSION_CODENAME="bookworm"\n', "usr/local/bin/python3.11": b"#" * 50_000})


def image(
    created: datetime | None = FIRST_DAY,
    *,
    app: bytes = b"print('hello')\n",
    base: Layer = BASE,
    layers: Sequence[Layer | RawLayer] | None = None,
    labels: Mapping[str, str] | None = None,
    platform: str = "linux/amd64",
) -> BuiltImage:
    """A Python image of two layers: the base, and ``app`` with an apt cache that nobody needs."""
    mine = layer({"app/main.py": app, "var/cache/apt/archives/gcc.deb": b"\1" * 20_000})
    stack = (base, mine) if layers is None else tuple(layers)
    config = ImageConfig(
        platform=Platform.parse(platform),
        created=created,
        env=("PATH=/usr/local/bin:/usr/bin:/bin", "PYTHON_VERSION=3.11.9"),
        cmd=("python3.11", "/app/main.py"),
        working_dir="/app",
        labels=dict(labels or {}),
        history=tuple(HistoryEntry(f"RUN step {position}", created=created) for position in range(len(stack))),
    )
    return build_image(config, stack)  # type: ignore[arg-type]


def artifact(config_type: str = "application/vnd.cncf.helm.config.v1+json") -> BuiltImage:
    """What is pushed like an image and is none."""
    built = image()
    body = built.document.body.replace(b"application/vnd.oci.image.config.v1+json", config_type.encode())
    return BuiltImage(Document(built.document.media_type, body), built.config, built.layers)


class PushableRegistry(ReadOnlyRegistry):
    """``damaged`` maps a blob's digest, ``replies`` a path to what is sent instead."""

    def __init__(self, images: Mapping[str, Mapping[str, Published]], **options: object) -> None:
        super().__init__(images, **options)  # type: ignore[arg-type]
        self.damaged: dict[str, bytes] = {}
        self.replies: dict[str, Response] = {}

    def push(self, repository: str, tag: str, published: Published) -> None:
        self._publish(repository, tag, published)
        self._tags[repository] = sorted({*self._tags.get(repository, ()), tag})

    def delete(self, repository: str, tag: str | None = None) -> None:
        """One tag, or the repository from the catalog."""
        if tag is None:
            del self._tags[repository]
        else:
            self._tags[repository].remove(tag)

    def damage(self, blob: Layer | Bytes) -> None:
        """Serve a blob of the same length with its last bytes wrong, as a broken disk would."""
        content = b"".join(blob.chunks())
        self.damaged[blob.digest] = content[:-12] + b"\0" * 12

    def answer(self, request: Request) -> Response:
        if request.path in self.replies:
            return self.replies[request.path]
        response = super().answer(request)
        body = self.damaged.get(request.path.rpartition("/")[2])
        if body is not None and response.status == 200:
            return Response(200, response.headers, (body,), len(body))
        return response

    def asked(self, method: str, part: str = "") -> list[str]:
        return [line.path for line in self.requests if line.method == method and part in line.path]
