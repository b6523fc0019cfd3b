"""What the tests of listings share: pages of a provider's API, and clients of registries that are never asked."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from fleet.oci.client import Limits, RegistryClient
from fleet.oci.credentials import Login
from tests.fakes.registry import Reply, Request

LIMITS = Limits(read_seconds=2, connect_seconds=1, backoff_seconds=0.001)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def as_json(content: object, status: int = 200, **headers: str) -> Reply:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"Content-Type": "application/json; charset=utf-8", **fields}, json.dumps(content).encode())


def query(request: Request) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(request.path).query).items()}


def linked(pages: Sequence[object], base: str = "") -> Callable[[Request], Reply]:
    """Pages that name their successor by a Link, as a URL below ``base`` or as a path."""

    def reply(request: Request) -> Reply:
        asked = query(request)
        number = int(asked.get("page", 1))
        path = urlsplit(request.path).path
        following = "&".join(f"{name}={value}" for name, value in {**asked, "page": str(number + 1)}.items())
        links = [f'<{base}{path}?page=1>; rel="first"']
        if number < len(pages):
            links.insert(0, f'<{base}{path}?{following}>; rel="next"')
        return as_json(pages[number - 1], Link=", ".join(links))

    return reply


@contextmanager
def client_of(url: str, login: Login | None = None, limits: Limits = LIMITS) -> Iterator[RegistryClient]:
    client = RegistryClient(url, credentials=login, limits=limits)
    try:
        yield client
    finally:
        client.close()
