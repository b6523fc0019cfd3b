"""How an engine is connected to: a Unix socket, TCP with or without TLS, or ssh, and what its URL may say."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import docker
from docker.constants import MINIMUM_DOCKER_API_VERSION
from docker.tls import TLSConfig
from requests.utils import get_environ_proxies

from fleet.oci.errors import InvalidReference, InvalidResponse
from fleet.oci.origin import is_loopback
from fleet.oci.sources.ssh import SshAddress, SshTunnel
from fleet.oci.trust import Trust, tls_context
from fleet.oci.wording import shown

CONNECT_SECONDS = 15
READ_SECONDS = 120

_LOCAL = ("unix", "npipe", "http+unix")
_REMOTE = ("tcp", "http", "https")


class EngineAddress:
    """A URL that may be connected to; InvalidReference for one that may not. ``url`` None is what DOCKER_HOST says.

    ``tcp://`` is TLS where certificates are given. Without any it is TLS too, unless the engine is on this machine or
    the admin allows plain HTTP: whoever can speak to an engine owns its host.
    """

    def __init__(self, url: str | None, *, trust: Trust | None = None, plain_http: bool = False) -> None:
        self.trust = trust or Trust()
        self.from_environment = url is None and not os.environ.get("DOCKER_HOST", "").startswith("ssh://")
        self.url = url or os.environ.get("DOCKER_HOST", "")
        self.uses_tls = False
        self.ssh: SshAddress | None = None
        scheme, separator, _ = self.url.partition("://")
        if self.from_environment:
            return
        if scheme == "ssh" and separator:
            self.ssh = SshAddress.parse(self.url)
        elif scheme in _REMOTE and separator:
            self._check_remote(scheme, plain_http)
        elif scheme not in _LOCAL or not separator:
            raise InvalidReference(
                f"{shown(self.url)!r} is no URL of an engine. Write it as unix:///var/run/docker.sock."
            )

    @property
    def is_remote(self) -> bool:
        return self.url.partition("://")[0] in _REMOTE and not self.from_environment

    @property
    def where(self) -> str:
        """For sentences."""
        return shown(self.url) or "its usual socket"

    def _check_remote(self, scheme: str, plain_http: bool) -> None:
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port, parts = "", None, urlsplit("")
        if not host or not port or parts.path.strip("/") or parts.query or parts.fragment:
            raise InvalidReference(f"{shown(self.url)!r} is no URL of an engine. Write it as tcp://host:2376.")
        if parts.username is not None:
            raise InvalidReference("The URL of an engine must hold no login: engines know certificates only.")
        plain_allowed = plain_http or is_loopback(host.lower())
        if scheme == "http" and not plain_allowed:
            raise InvalidReference(
                f"{shown(parts.netloc)} would be spoken to over plain HTTP, in clear text. Use tcp:// with TLS, or "
                "allow plain HTTP for it."
            )
        self.uses_tls = scheme == "https" or (scheme == "tcp" and (self.trust != Trust() or not plain_allowed))
        if self.uses_tls:
            tls_context(self.trust, identify=True)  # PEM that cannot be used is told here, and by its name.


class EngineConnection:
    """A client of the SDK and what it needs while it lives: files of certificates, a tunnel. Raises as the SDK does."""

    def __init__(self, address: EngineAddress) -> None:
        self._address = address
        self._resources = contextlib.ExitStack()
        self.tunnel: SshTunnel | None = None
        try:
            self.client = self._connect()
        except BaseException as error:
            # What ssh said tells more than that the socket was closed.
            if self.tunnel is not None:
                error.add_note(self.tunnel.said)
            self._resources.close()
            raise
        self._resources.callback(self.client.close)

    def close(self) -> None:
        self._resources.close()

    def _connect(self) -> docker.DockerClient:
        address = self._address
        if address.from_environment:
            return docker.from_env(timeout=READ_SECONDS)
        if address.ssh:
            self.tunnel = SshTunnel(address.ssh)
            self._resources.callback(self.tunnel.close)
            return docker.DockerClient(base_url=self.tunnel.url, timeout=READ_SECONDS)
        if not address.is_remote:
            return docker.DockerClient(base_url=address.url, timeout=READ_SECONDS)
        tls = self._tls() if address.uses_tls else False
        probe = self._remote(tls, MINIMUM_DOCKER_API_VERSION)
        try:
            version = probe.version(api_version=False)["ApiVersion"]
            return self._remote(tls, ".".join(str(int(part)) for part in version.split(".")))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InvalidResponse(f"What answers at {address.where} is no Docker Engine. Check the URL.") from None
        finally:
            probe.close()

    def _remote(self, tls: TLSConfig | bool, version: str) -> docker.DockerClient:
        """With the version given it does not connect yet, so that it can be told how to."""
        url = self._address.url
        client = docker.DockerClient(base_url=url, timeout=READ_SECONDS, tls=tls, version=version)
        client.api.timeout = (CONNECT_SECONDS, READ_SECONDS)
        # No engine redirects; what calls itself one must not lead to addresses that only we can reach.
        client.api.max_redirects = 0
        if self._address.trust.authority_pem.strip():
            # Else REQUESTS_CA_BUNDLE would take the place of the authority that the admin named.
            client.api.proxies = get_environ_proxies(client.api.base_url)
            client.api.trust_env = False
        return client

    def _tls(self) -> TLSConfig:
        """The SDK wants files. Nobody else may read them, and they go away with the connection."""
        trust = self._address.trust
        directory = Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="plimsoll-")))
        authority = _file(directory / "ca.pem", trust.authority_pem)
        certificate = _file(directory / "cert.pem", f"{trust.certificate_pem.strip()}\n{trust.key_pem.strip()}\n")
        return TLSConfig(
            client_cert=(certificate, certificate) if certificate else None, ca_cert=authority, verify=True
        )


def _file(path: Path, text: str) -> str | None:
    """None for no text: nothing is written then."""
    if not text.strip():
        return None
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return str(path)
