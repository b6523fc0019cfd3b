"""Logins, and where Docker keeps them: config.json, its credential helpers and stores.

Specs: https://docs.docker.com/reference/cli/docker/login/#credential-stores,
https://github.com/docker/docker-credential-helpers. We read both ourselves: the docker SDK waits for a helper without
end and takes a configuration that is no JSON for an empty one.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fleet.oci.errors import RegistryError, Unauthorized
from fleet.oci.origin import registry_origins
from fleet.oci.reference import DOCKER_HUB
from fleet.oci.wording import shown

HELPER_SECONDS = 30.0

_HUB_SERVER = f"https://index.{DOCKER_HUB}/v1/"
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
# What helpers say, and their user name for an identity token.
_NOT_FOUND = b"credentials not found"
_TOKEN_USER = "<token>"  # noqa: S105
# Helpers of clouds hand out tokens of an hour or more, and keep them themselves.
_DOCKER_LOGIN_SECONDS = 600.0
# Threads that waited for the same login need not each wait for the same refusal.
_FAILURE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """A login. The repr hides it, so that no log and no traceback shows one.

    ``identity_token`` is an OAuth 2 refresh token, which some logins leave in Docker's config in place of a password.
    """

    username: str
    password: str = field(repr=False)
    identity_token: str = field(default="", repr=False)


class CredentialSource(Protocol):
    """A login that is renewed as it ages: called whenever a login is sent. Threads share one.

    Raises RegistryError where there should be a login and none can be had.
    """

    def __call__(self) -> Credentials | None: ...


Login = Credentials | CredentialSource


class Renewed:
    """A source that asks ``fetch`` for a login and the seconds it may be kept, and again when they are over."""

    def __init__(self, fetch: Callable[[], tuple[Credentials | None, float]]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._kept: Credentials | None = None
        self._failure: RegistryError | None = None
        self._until = float("-inf")

    def __call__(self) -> Credentials | None:
        with self._lock:
            if time.monotonic() >= self._until:
                self._ask()
            if self._failure:
                raise type(self._failure)(*self._failure.args)
            return self._kept

    def _ask(self) -> None:
        asked_at = time.monotonic()
        try:
            self._kept, seconds = self._fetch()
            self._failure = None
        except RegistryError as failure:
            if failure.temporary:
                raise
            asked_at = time.monotonic()
            self._failure, seconds = failure, _FAILURE_SECONDS
        self._until = asked_at + seconds


def docker_login(url: str) -> CredentialSource:
    """What ``docker login`` stored for the registry at ``url``, asked for again from time to time.

    Raises InvalidReference for a URL that is no registry's.
    """
    name, _ = registry_origins(url, plain_http=True)
    return Renewed(lambda: (from_docker_config(name), _DOCKER_LOGIN_SECONDS))


def from_docker_config(registry: str, *, helper_seconds: float = HELPER_SECONDS) -> Credentials | None:
    """What ``docker login`` stored for ``registry`` (a host with its port, or docker.io), or None.

    Raises Unauthorized when the configuration cannot be read, or a credential helper fails or takes too long.
    """
    name = _host(registry)
    try:
        config = _load_config()
        logins, helpers = _objects(config, "auths"), _objects(config, "credHelpers")
        helper = next((helpers[key] for key in helpers if _host(key) == name), None) or config.get("credsStore")
        entries = {key: entry for key, entry in logins.items() if _host(key) == name}
        if helper:
            for server in _servers(name, entries):
                if found := _from_helper(str(helper), server, helper_seconds):
                    return found
        return next(filter(None, map(_from_entry, entries.values())), None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise Unauthorized(
            f"Docker's configuration has a login for {shown(name)} that cannot be read. "
            f"Run docker login {shown(name)} again."
        ) from None


def _load_config() -> Mapping[str, object]:
    directory = os.environ.get("DOCKER_CONFIG")
    path = (Path(directory) if directory else Path.home() / ".docker") / "config.json"
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        where = shown(str(path), 500)
        raise Unauthorized(f"Docker's configuration {where} is no JSON object. Correct it, or remove it.")
    return config


def _objects(config: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = config.get(name) or {}
    if not isinstance(value, dict):
        raise TypeError(name)
    return value


def _host(server: str) -> str:
    """The registry's name in a configuration's key: old entries are URLs, and Docker Hub has several names."""
    host = server.partition("://")[2] or server
    host = host.partition("/")[0].lower()
    return DOCKER_HUB if host in (f"index.{DOCKER_HUB}", f"registry-1.{DOCKER_HUB}") else host


def _servers(name: str, entries: Mapping[str, object]) -> Iterator[str]:
    """What a helper may know the registry as: its name, else the key that an older login left in the file."""
    usual = _HUB_SERVER if name == DOCKER_HUB else name
    yield from dict.fromkeys([usual, *entries])


def _from_entry(entry: object) -> Credentials | None:
    if not isinstance(entry, dict):
        raise TypeError("auths")
    if token := entry.get("identitytoken"):
        return Credentials("", "", str(token))
    if auth := entry.get("auth"):
        username, colon, password = base64.b64decode(str(auth)).decode().partition(":")
        if not colon:
            raise ValueError("auth")
        return Credentials(username, password.strip("\0"))
    # What stands in the file in clear, as Kubernetes' secrets have it, is a login too.
    if name := entry.get("username"):
        return Credentials(str(name), str(entry.get("password") or ""))
    return None


def _from_helper(helper: str, server: str, seconds: float) -> Credentials | None:
    program = shutil.which(f"docker-credential-{helper}") if _HELPER.fullmatch(helper) else None
    if program is None:
        raise Unauthorized(
            f"Docker's configuration names the credential helper {shown(helper)} for {shown(server)}, which is not "
            f"installed here. Install docker-credential-{shown(helper)}, or run docker login {shown(server)} again."
        )
    status, said = _run([program, "get"], server.encode(), seconds)
    if status is None:
        raise Unauthorized(
            f"The credential helper {shown(helper)} gave no login for {shown(server)} within {seconds:g} seconds. "
            "Check that it works without a terminal, or enter a login instead."
        )
    if status and _NOT_FOUND in said.lower():
        return None
    if status:
        # What it said may hold a secret.
        raise Unauthorized(
            f"The credential helper {shown(helper)} failed for {shown(server)}. Run docker login {shown(server)} again."
        )
    answer = json.loads(said)
    username, secret = str(answer["Username"] or ""), str(answer["Secret"] or "")
    if not username and not secret:
        return None
    return Credentials("", "", secret) if username == _TOKEN_USER else Credentials(username, secret)


def _run(command: list[str], text: bytes, seconds: float) -> tuple[int | None, bytes]:
    """Exit status and output; None as status when the time was over and the program, with all it started, was ended."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(text, timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None, b""
        return process.returncode, output
