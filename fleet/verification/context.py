"""What a build may read: the Dockerfile alone, a directory, or a repository that git fetches."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from docker.utils.build import exclude_paths

from fleet.oci.errors import InvalidReference, NotFound, RegistryError, TooLarge
from fleet.oci.wording import shown
from fleet.verification.building import FILE
from fleet.verification.watch import Deadline, TimeOver, Watch

MOST_ENTRIES = 200_000
_BEAT_SECONDS = 0.5
_IGNORE = ".dockerignore"
_IGNORE_BYTES = 1 << 20
_GIT_URL = re.compile(r"(?:https?|ssh|git|file)://\S+", re.ASCII)
_PROTOCOLS = ("https", "http", "ssh", "git")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}", re.ASCII)


def is_git_url(text: str) -> bool:
    return _GIT_URL.fullmatch(text) is not None


def check_git_url(text: str, *, local: bool = False) -> None:
    """Raises InvalidReference, with a sentence, for what is no URL that may be fetched; ``local`` allows ``file://``."""
    url, _, fragment = text.partition("#")
    try:
        parts = urlsplit(url)
        has_password, host = parts.password is not None, parts.hostname
    except ValueError:
        parts, has_password, host = urlsplit(""), False, None
    if not is_git_url(text) or parts.scheme not in (*_PROTOCOLS, *(("file",) if local else ())):
        raise InvalidReference(
            f"{shown(text)!r} is no git URL. Write https://host/team/repository.git#branch:directory."
        )
    if has_password:
        raise InvalidReference("The git URL must hold no password. Give the workers' git a credential helper instead.")
    if parts.scheme != "file" and (not host or host.startswith("-")):
        raise InvalidReference(
            f"{shown(text)!r} names no host. Write https://host/team/repository.git#branch:directory."
        )
    revision, _, directory = fragment.partition(":")
    if (revision and not _REVISION.fullmatch(revision)) or ".." in directory.split("/") or directory.startswith("/"):
        raise InvalidReference(f"{shown(fragment)!r} is no branch and directory. Write #branch:directory.")


@contextlib.contextmanager
def packed(
    dockerfile: str, context: str, *, limit_bytes: int, deadline: Deadline, watch: Watch, local: bool = False
) -> Iterator[IO[bytes]]:
    """A tar for the builder with the Dockerfile as ``FILE``. ``context`` is empty, a directory (only where ``local``
    allows it) or a git URL. Raises RegistryError."""
    with contextlib.ExitStack() as resources:
        directory = None
        if is_git_url(context):
            check_git_url(context, local=local)
            where = resources.enter_context(tempfile.TemporaryDirectory(prefix="plimsoll-"))
            directory = _fetched(context, Path(where), deadline, watch, local=local)
        elif context and local:
            directory = Path(context)
        elif context:
            raise InvalidReference("A directory on the workers' machine is no context here. Name a git URL.")
        file = resources.enter_context(tempfile.TemporaryFile(prefix="plimsoll-"))
        with tarfile.open(fileobj=file, mode="w") as tar:
            if directory is not None:
                _add_directory(tar, directory, limit_bytes)
            content = dockerfile.encode()
            member = tarfile.TarInfo(FILE)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
        file.seek(0)
        yield file


def _add_directory(tar: tarfile.TarFile, directory: Path, limit_bytes: int) -> None:
    """Files, directories and links as they are: no link is followed, so that nothing from outside gets in."""
    if not directory.is_dir():
        raise NotFound(f"There is no directory {shown(str(directory))} here. Check the context.")
    left_bytes = limit_bytes
    try:
        paths = sorted(exclude_paths(str(directory.resolve()), _ignored(directory)))
        if len(paths) > MOST_ENTRIES:
            raise TooLarge(f"The context holds {len(paths)} files; {MOST_ENTRIES} are the most. Leave some out.")
        for path in paths:
            left_bytes -= _add(tar, directory / path, path, left_bytes, limit_bytes)
    except OSError as error:
        raise RegistryError(
            f"The context {shown(str(directory))} cannot be read: {error.strerror} ({shown(str(error.filename))})."
        ) from error


def _add(tar: tarfile.TarFile, path: Path, name: str, left_bytes: int, limit_bytes: int) -> int:
    found = path.lstat()
    member = tarfile.TarInfo(name)
    member.mode, member.mtime = stat.S_IMODE(found.st_mode), int(found.st_mtime)
    if stat.S_ISDIR(found.st_mode):
        member.type = tarfile.DIRTYPE
        tar.addfile(member)
    elif stat.S_ISLNK(found.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, os.readlink(path)
        tar.addfile(member)
    elif stat.S_ISREG(found.st_mode):
        return _add_file(tar, path, member, left_bytes, limit_bytes)
    return 0


def _add_file(tar: tarfile.TarFile, path: Path, member: tarfile.TarInfo, left_bytes: int, limit_bytes: int) -> int:
    # What became a link or a pipe since it was looked at is not opened, nor waited for.
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        member.size = os.fstat(file.fileno()).st_size
        if member.size > left_bytes:
            raise TooLarge(
                f"The context is larger than {limit_bytes / 1e6:,.0f} MB. List what the build does not need in "
                f"{_IGNORE}."
            )
        tar.addfile(member, file)
    return member.size


def _ignored(directory: Path) -> list[str]:
    try:
        descriptor = os.open(directory / _IGNORE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    with open(descriptor, encoding="utf-8", errors="replace") as file:
        lines = file.read(_IGNORE_BYTES).splitlines()
    return [text for line in lines if (text := line.strip()) and not text.startswith("#")]


def _fetched(url: str, where: Path, deadline: Deadline, watch: Watch, *, local: bool) -> Path:
    """The directory that the URL names, freshly fetched, without its history."""
    address, _, fragment = url.partition("#")
    revision, _, directory = fragment.partition(":")
    allowed = (*_PROTOCOLS, *(("file",) if local else ()))
    settings = ["protocol.allow=never", *(f"protocol.{name}.allow=always" for name in allowed)]
    settings += [
        "core.symlinks=true",
        "core.hooksPath=/dev/null",
        "core.fsmonitor=false",
        "http.followRedirects=initial",
    ]
    git = ["git", *(part for setting in settings for part in ("-c", setting)), "-C", str(where)]
    _run([*git, "init", "-q"], address, deadline, watch)
    _run([*git, "fetch", "-q", "--depth=1", "--no-tags", "--", address, revision or "HEAD"], address, deadline, watch)
    _run([*git, "checkout", "-q", "--detach", "FETCH_HEAD"], address, deadline, watch)
    found = (where / directory).resolve()
    if not found.is_relative_to(where.resolve()) or not found.is_dir():
        raise NotFound(f"{shown(address)} has no directory {shown(directory)}. Check what stands behind the #.")
    shutil.rmtree(where / ".git", ignore_errors=True)
    return found


def _said(process: subprocess.Popen[bytes], deadline: Deadline, watch: Watch) -> bytes:
    """What it wrote on stderr, once it has ended. Raises TimeOver."""
    while not deadline.is_over:
        watch.beat()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=_BEAT_SECONDS)[1]
    raise TimeOver(f"The context was not fetched within {deadline.seconds:.0f} seconds")


def _run(command: Sequence[str], address: str, deadline: Deadline, watch: Watch) -> None:
    """Git, which never asks anybody and runs nothing that a repository names. Raises RegistryError."""
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=15",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }
    try:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env,
            start_new_session=True,
        ) as process:  # fmt: skip
            try:
                said = _said(process, deadline, watch)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
    except OSError as error:
        raise RegistryError(f"git cannot be started: {error.strerror}. Install it beside the workers.") from error
    if process.returncode:
        last = shown(said.decode(errors="replace").strip().rpartition("\n")[2], 200).rstrip(".")
        raise RegistryError(f"{shown(address)} cannot be fetched. Git says: {last}. Check the URL and the login.")
