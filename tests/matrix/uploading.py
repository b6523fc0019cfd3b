"""Pushes images over the distribution API, without any of our own client."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from fleet.sample.build import Published

OCTETS = "application/octet-stream"
Headers = Mapping[str, str]


def _anybody(repository: str) -> Headers:
    return {}


@dataclass(frozen=True)
class Uploader:
    """``authorize`` gives the headers for pushing to a repository, ``tls`` is for https."""

    host: str
    tls: ssl.SSLContext | None = None
    authorize: Callable[[str], Headers] = _anybody

    def push(self, repository: str, tag: str, published: Published) -> None:
        for digest, content in {blob.digest: b"".join(blob.chunks()) for blob in published.blobs}.items():
            place = urlsplit(self._send(repository, "POST", f"/v2/{repository}/blobs/uploads/"))
            query = f"{place.query}&digest={digest}" if place.query else f"digest={digest}"
            self._send(repository, "PUT", f"{place.path}?{query}", content)
        # An index comes after what it names.
        for document in reversed(published.documents):
            name = tag if document is published.document else document.digest
            path = f"/v2/{repository}/manifests/{name}"
            self._send(repository, "PUT", path, document.body, document.media_type)

    def _send(self, repository: str, method: str, path: str, body: bytes = b"", kind: str = OCTETS) -> str:
        connection = (
            http.client.HTTPSConnection(self.host, timeout=20, context=self.tls)
            if self.tls
            else http.client.HTTPConnection(self.host, timeout=20)
        )
        connection.request(method, path, body, {"Content-Type": kind, **self.authorize(repository)})
        response = connection.getresponse()
        said = response.read()
        connection.close()
        assert response.status < 300, (method, path, response.status, said)
        return response.getheader("Location", "")
