"""Real registries that hold the same images, each behind another way to be let in."""

from __future__ import annotations

import base64
import json
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from fleet.models import Registry
from tests.fakes.pushable import PushableRegistry
from tests.matrix.content import bases, contents
from tests.matrix.tokens import PASSWORD, USER, TokenServer
from tests.matrix.uploading import Uploader
from tests.oci.authority import Authority
from tests.servers import DebianRegistry, debian_registry, free_port, listens, running, wait_until

# The password of the token server's user; bcrypt at its lowest cost, as htpasswd writes it.
HTPASSWD = "reader:$2y$04$QQK9GtqnhZlbWI5Nch.tjuLi0j6Fy2knbLWwkHGI/KYD83hdHPziG\n"
LOGIN = {"username": USER, "secret": PASSWORD}
PEERS = os.environ.get("PLIMSOLL_TEST_PEERS", "")


@dataclass(frozen=True)
class Member:
    """A registry that runs and is filled. ``fields`` is what an admin enters beside name and URL."""

    server: DebianRegistry
    fields: Mapping[str, str] = field(default_factory=dict)
    tokens: TokenServer | None = None

    def row(self, **other: str) -> Registry:
        """A stored row that is valid; ``other`` fields replace those that would be right."""
        registry = Registry(**{"name": "Matrix", "url": self.server.url, **self.fields, **other})
        registry.full_clean()
        registry.save()
        return registry


@contextmanager
def anonymous(directory: Path, program: str = "docker-registry") -> Iterator[Member]:
    with debian_registry(directory, program=program) as server:
        yield _filled(Member(server), Uploader(server.host))


@contextmanager
def htpasswd(directory: Path, program: str = "docker-registry") -> Iterator[Member]:
    passwords = directory / "htpasswd"
    passwords.write_text(HTPASSWD)
    settings = f"auth: {{htpasswd: {{realm: tests, path: '{passwords}'}}}}\n"
    with debian_registry(directory, settings, program=program) as server:
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        uploader = Uploader(server.host, authorize=lambda repository: {"Authorization": f"Basic {basic}"})
        yield _filled(Member(server, LOGIN), uploader)


@contextmanager
def token(directory: Path, program: str = "docker-registry") -> Iterator[Member]:
    tokens = TokenServer()
    with tokens.running(), debian_registry(directory, tokens.settings(directory), program=program) as server:

        def signed(repository: str) -> dict[str, str]:
            return {"Authorization": f"Bearer {tokens.sign([f'repository:{repository}:pull,push'])}"}

        yield _filled(Member(server, LOGIN, tokens), Uploader(server.host, authorize=signed))


@contextmanager
def private_authority(directory: Path, program: str = "docker-registry") -> Iterator[Member]:
    authority = Authority()
    with debian_registry(directory, tls=_tls(directory, authority), program=program) as server:
        context = ssl.create_default_context(cadata=authority.pem)
        yield _filled(Member(server, {"ca_certificate": authority.pem}), Uploader(server.host, context))


@contextmanager
def client_certificate(directory: Path, program: str = "docker-registry") -> Iterator[Member]:
    authority = Authority()
    certificate, key = authority.issue("plimsoll")
    (directory / "client.pem").write_text(certificate + key)
    (directory / "authority.pem").write_text(authority.pem)
    tls = _tls(directory, authority, f", clientcas: ['{directory / 'authority.pem'}']")
    with debian_registry(directory, tls=tls, program=program) as server:
        context = ssl.create_default_context(cadata=authority.pem)
        context.load_cert_chain(directory / "client.pem")
        fields = {"ca_certificate": authority.pem, "client_certificate": certificate, "client_key": key}
        yield _filled(Member(server, fields), Uploader(server.host, context))


@contextmanager
def zot(directory: Path) -> Iterator[Member]:
    port = free_port()
    config = {
        "distSpecVersion": "1.1.1",
        "storage": {"rootDirectory": str(directory / "storage")},
        "http": {"address": "127.0.0.1", "port": str(port), "compat": ["docker2s2"]},
        "log": {"level": "info"},
    }
    (directory / "zot.json").write_text(json.dumps(config))
    server = DebianRegistry(f"127.0.0.1:{port}", directory / "zot.log")
    with running([f"{PEERS}/zot", "serve", str(directory / "zot.json")], server.log):
        wait_until(lambda: listens(port), "zot")
        yield _filled(Member(server), Uploader(server.host))


Start = Callable[..., AbstractContextManager[Member]]
DEBIAN: Mapping[str, Start] = {
    "anonymous": anonymous,
    "htpasswd": htpasswd,
    "token": token,
    "private authority": private_authority,
    "client certificate": client_certificate,
}
# Of what scripts/test --peers builds: the program, and how it is started.
BUILT: Mapping[str, tuple[str, Start]] = {
    **{
        f"distribution v3, {name}": ("registry", partial(start, program=f"{PEERS}/registry"))
        for name, start in DEBIAN.items()
    },
    "zot": ("zot", zot),
}


class Matrix:
    """The registries that tests asked for so far: each is started and filled once. ``mirror`` serves the base images
    that suggestions start from, the same whichever registry is scanned."""

    def __init__(self, make_directory: Callable[[str], Path]) -> None:
        self._make_directory = make_directory
        self._members: dict[str, Member] = {}
        self._started = ExitStack()
        self.mirror = self._started.enter_context(PushableRegistry(bases())).url.removeprefix("http://")

    @property
    def bases(self) -> dict[str, str]:
        """The field of a registry's row that names the mirror."""
        return {"base_mirrors": f"docker.io={self.mirror}"}

    def __getitem__(self, name: str) -> Member:
        if name not in self._members:
            directory = self._make_directory(name.replace(",", "").replace(" ", "-"))
            self._members[name] = self._started.enter_context(_start(name)(directory))
        return self._members[name]

    def close(self) -> None:
        self._started.close()


def _start(name: str) -> Start:
    if name in DEBIAN:
        return DEBIAN[name]
    program, start = BUILT[name]
    if not (Path(PEERS) / program).exists():
        pytest.skip(f"{program} was not built")
    return start


def _filled(member: Member, uploader: Uploader) -> Member:
    for repository, tags in contents().items():
        for tag, published in tags.items():
            uploader.push(repository, tag, published)
    return member


def _tls(directory: Path, authority: Authority, more: str = "") -> str:
    certificate, key = authority.issue("127.0.0.1")
    (directory / "server.pem").write_text(certificate)
    (directory / "server.key").write_text(key)
    return f"{{certificate: '{directory / 'server.pem'}', key: '{directory / 'server.key'}'{more}}}"
