"""Images in a Docker Engine, read the way ``docker save`` does: the engine has no API for single blobs.

API: https://docs.docker.com/reference/api/engine/
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import IO, TypeVar

import docker
from docker.errors import DockerException
from docker.errors import NotFound as EngineNotFound
from docker.models.images import Image
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from fleet.oci.answer import Stats
from fleet.oci.digests import is_digest
from fleet.oci.errors import NotFound, Unreachable
from fleet.oci.manifest import Descriptor, Manifest, parse_manifest
from fleet.oci.media_types import DOCKER_MANIFEST
from fleet.oci.sources.archive import Images, saved_images
from fleet.oci.sources.engine_connection import EngineAddress, EngineConnection
from fleet.oci.sources.engine_failures import engine_failure
from fleet.oci.sources.files import TarFiles
from fleet.oci.trust import Trust
from fleet.oci.wording import shown

_T = TypeVar("_T")


class Engine:
    """A connection to an engine, made at the first question. ``url`` is unix://…, tcp://…, https://…, ssh://…, or None
    for what DOCKER_HOST says. Raises InvalidReference for one that may not be connected to."""

    def __init__(
        self,
        url: str | None = None,
        *,
        trust: Trust | None = None,
        plain_http: bool = False,
        stats: Stats | None = None,
    ) -> None:
        self.stats = stats or Stats()
        self._address = EngineAddress(url, trust=trust, plain_http=plain_http)
        self._lock = threading.Lock()
        self._connection: EngineConnection | None = None

    def check(self) -> None:
        self._ask(lambda client: client.ping())

    def names(self) -> tuple[tuple[str, str], ...]:
        """(repository, tag) of every named image, sorted."""
        images: list[Image] = self._ask(lambda client: client.images.list())
        pairs = {(name, tag) for image in images for name, _, tag in (each.rpartition(":") for each in image.tags)}
        return tuple(sorted(pair for pair in pairs if "<none>" not in pair))

    def image_id(self, name: str, reference: str) -> str:
        """The ID of an image by its tag, ID or repository digest. Raises NotFound."""
        whole = f"{name}@{reference}" if is_digest(reference) else f"{name}:{reference or 'latest'}"
        for text in (reference, whole) if is_digest(reference) else (whole,):
            with contextlib.suppress(NotFound):
                image: Image = self._ask(partial(_get_image, text), subject=text)
                return str(image.id)
        raise _no_image(whole)

    def image_with(self, name: str, digest: str) -> str:
        """The ID of an image of this name that holds a layer, by its diff ID, or is made of a config. NotFound."""
        images: list[Image] = self._ask(lambda client: client.images.list(name=name))
        for image in images:
            if digest == image.id or digest in (image.attrs.get("RootFS", {}).get("Layers") or ()):
                return str(image.id)
        raise _no_image(f"{name} with {digest}")

    def save(self, image_id: str) -> TarFiles:
        """The image as an archive, in a file without a name that goes away with its last reader."""
        with tempfile.TemporaryFile(prefix="plimsoll-") as spool:
            image: Image = self._ask(partial(_get_image, image_id), subject=image_id)
            chunks: Iterator[bytes] = self._ask(lambda _: image.save())
            self._ask(lambda _: self._spool(chunks, spool))
            spool.flush()
            return TarFiles(os.dup(spool.fileno()), "The Docker Engine")

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _spool(self, chunks: Iterator[bytes], spool: IO[bytes]) -> None:
        for chunk in chunks:
            self.stats.received(len(chunk))
            spool.write(chunk)

    def _ask(self, question: Callable[[docker.DockerClient], _T], *, subject: str = "") -> _T:
        try:
            answer = question(self._connect())
        except EngineNotFound:
            raise _no_image(subject) from None
        except (DockerException, RequestException, HTTPError) as error:
            raise engine_failure(self._address, error, self._said()) from error
        except OSError as error:
            raise Unreachable(
                f"The image cannot be kept for reading: {error.strerror}. Make room on the disk."
            ) from error
        self.stats.answered()
        return answer

    def _connect(self) -> docker.DockerClient:
        with self._lock:
            if self._connection is None:
                self._connection = EngineConnection(self._address)
            return self._connection.client

    def _said(self) -> str:
        tunnel = self._connection.tunnel if self._connection else None
        return tunnel.said if tunnel else ""


class EngineSource:
    """The images of one name in an engine.

    An engine has no manifests: what ``head`` and ``manifest`` name by is the image's ID, which is known without saving
    the image. ``head`` cannot tell the manifest's size and says 0. The image that was asked for last is kept in a
    temporary file, so reading one image after the other is cheap and going back and forth is not.
    """

    def __init__(self, name: str, engine: Engine | None = None) -> None:
        self.name = name
        self._engine = engine or Engine()
        self._owns_engine = engine is None
        self._lock = threading.Lock()
        self._saved: tuple[str, Images] | None = None
        self._image_of_blob: dict[str, str] = {}

    @property
    def stores_compressed(self) -> bool:
        return self._saved is not None and self._saved[1].stores_compressed

    def head(self, reference: str) -> Descriptor:
        return Descriptor(DOCKER_MANIFEST, self._engine.image_id(self.name, reference), 0)

    def manifest(self, reference: str) -> tuple[Descriptor, bytes]:
        saved = self._saved
        if saved and is_digest(reference) and reference != saved[0]:
            # A platform of the index that was saved last.
            with contextlib.suppress(NotFound):
                return self._noted(saved[0], *saved[1].manifest(reference))
        image_id = self._engine.image_id(self.name, reference)
        descriptor, body = self._images(image_id).manifest("")
        return self._noted(image_id, replace(descriptor, digest=image_id), body)

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        image_id = self._image_of_blob.get(descriptor.digest)
        if image_id is None:
            # A scan that was cut short resumes at a layer.
            image_id = self._engine.image_with(self.name, descriptor.digest)
        return self._images(image_id).blob(descriptor)

    def close(self) -> None:
        self._saved = None
        if self._owns_engine:
            self._engine.close()

    def _images(self, image_id: str) -> Images:
        with self._lock:
            if self._saved is None or self._saved[0] != image_id:
                self._saved = None
                self._saved = image_id, saved_images(self._engine.save(image_id))
            return self._saved[1]

    def _noted(self, image_id: str, descriptor: Descriptor, body: bytes) -> tuple[Descriptor, bytes]:
        """Remembers which image holds the blobs, to save it again should another have taken its place."""
        manifest = parse_manifest(body, descriptor.media_type)
        if isinstance(manifest, Manifest):
            for item in (manifest.config, *manifest.layers):
                self._image_of_blob[item.digest] = image_id
        return descriptor, body


def split_name(text: str) -> tuple[str, str]:
    """``host:5000/app:1.0`` → name and reference. An ID names itself."""
    if is_digest(text):
        return text, text
    name, at, digest = text.partition("@")
    if at:
        return name, digest
    name, colon, tag = text.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (text, "latest")


def _get_image(name: str, client: docker.DockerClient) -> Image:
    return client.images.get(name)


def _no_image(name: str) -> NotFound:
    return NotFound(f"The Docker Engine has no image {shown(name)}. Pull or build it first.")
