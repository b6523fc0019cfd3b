"""A way to a Docker Engine through the system's ssh: what it does with keys, agents, jump hosts and known hosts is its
own configuration, ``~/.ssh/config`` included.

The docker SDK has an SSH transport of its own. It is not used: it needs a second implementation of SSH even to call
the system's, has no time limits and lets ssh ask for passwords on a terminal that a worker does not have. Here the SDK
speaks to a Unix socket that only this user can reach, and each connection to it is one ``docker system dial-stdio``.
"""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from fleet.oci.errors import InvalidReference, Unreachable
from fleet.oci.wording import shown

CONNECT_SECONDS = 15

_LINE_BYTES = 1000
_END_SECONDS = 5.0
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@+-]{0,63}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|[0-9A-Fa-f:]{2,45}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SshAddress:
    user: str
    host: str
    port: int | None

    @classmethod
    def parse(cls, url: str) -> SshAddress:
        """``ssh://[user@]host[:port]``. Nothing of it can be taken for an option. Raises InvalidReference."""
        try:
            parts = urlsplit(url)
            host, port, user = parts.hostname or "", parts.port, parts.username or ""
        except ValueError:
            raise _invalid(url) from None
        if parts.password is not None:
            raise InvalidReference("The URL of an engine must hold no password. Let ssh sign in with a key.")
        if parts.path.strip("/") or parts.query or parts.fragment or not _HOST.fullmatch(host):
            raise _invalid(url)
        if user and not _USER.fullmatch(user):
            raise _invalid(url)
        return cls(user, host, port)

    def command(self) -> list[str]:
        """It never asks anybody: a host or a key that is not known yet is refused."""
        options = ["BatchMode=yes", f"ConnectTimeout={CONNECT_SECONDS}", "ClearAllForwardings=yes", "LogLevel=ERROR"]
        command = ["ssh", "-T", *(part for option in options for part in ("-o", option))]
        if self.user:
            command += ["-l", self.user]
        if self.port:
            command += ["-p", str(self.port)]
        return [*command, "--", self.host, "docker", "system", "dial-stdio"]


class SshTunnel:
    """Open until ``close``; ``url`` is what the SDK connects to."""

    def __init__(self, address: SshAddress) -> None:
        self._command = address.command()
        self._said = ""
        self._processes: list[subprocess.Popen[bytes]] = []
        self._listeners: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = False
        self._directory = tempfile.TemporaryDirectory(prefix="plimsoll-")
        path = Path(self._directory.name) / "engine.sock"
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.bind(str(path))
            self._socket.listen()
        except OSError as error:
            self._socket.close()
            self._directory.cleanup()
            raise Unreachable(
                f"No socket for ssh can be made in {shown(tempfile.gettempdir())}: {error.strerror or error}. Set "
                "TMPDIR to a short path that can be written to."
            ) from error
        self.url = f"unix://{path}"
        threading.Thread(target=self._accept, name="ssh-tunnel", daemon=True).start()

    @property
    def said(self) -> str:
        """The last line that ssh, or the shell at its other end, wrote on stderr."""
        for listener in self._listeners[-2:]:
            listener.join(timeout=1)
        return self._said

    def close(self) -> None:
        with self._lock:
            self._closed = True
        # Closing alone does not wake a thread that waits in accept().
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._directory.cleanup()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self._dial(connection)

    def _dial(self, connection: socket.socket) -> None:
        """Hands the connection to an ssh of its own, which reads and writes it directly."""
        with self._lock:
            if self._closed:
                return
            self._processes = [process for process in self._processes if process.poll() is None]
            try:
                process = subprocess.Popen(
                    self._command,
                    stdin=connection.fileno(),
                    stdout=connection.fileno(),
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            except OSError as error:
                self._said = f"ssh cannot be started: {error.strerror}"
                return
            self._processes.append(process)
        assert process.stderr is not None
        listener = threading.Thread(target=self._listen, args=(process.stderr,), name="ssh-said", daemon=True)
        self._listeners = [*(each for each in self._listeners if each.is_alive()), listener]
        listener.start()

    def _listen(self, stream: IO[bytes]) -> None:
        with stream:
            while line := stream.readline(_LINE_BYTES):
                if text := line.decode(errors="replace").strip():
                    self._said = shown(text, 300)


def _invalid(url: str) -> InvalidReference:
    return InvalidReference(f"{shown(url)!r} is no URL of an engine behind ssh. Write it as ssh://user@host:22.")
