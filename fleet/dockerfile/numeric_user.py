"""Whether a container that ran as root can run as a numeric user that exists nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fleet.dockerfile.command_line import shell_scripts
from fleet.dockerfile.request import Request
from fleet.image.filetree import FileTree

NUMERIC_OWNER = (65532, 65532)
NUMERIC_USER = "65532:65532"
# Programs that ask who they are fail without a name for their user.
ACCOUNT = (
    ("etc/passwd", "nonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin"),
    ("etc/group", "nonroot:x:65532:"),
)

# These change users, bind low ports or start daemons of root's.
_NEEDS_ROOT = re.compile(
    r"(?:usr/)?(?:local/)?s?bin/(?:gosu|su-exec|supervisord|nginx|cron|crond|sshd|s6-svscan|runit|sudo)"
)
_ONLY_ROOT = re.compile(
    r"(?:^|[\s;&|(])(chown|chgrp|useradd|adduser|usermod|groupadd|addgroup|su|runuser|setpriv|mount|sysctl|iptables"
    r"|update-ca-certificates|apt-get|apk|service)\b",
    re.MULTILINE,
)
_FIRST_FREE_PORT = 1024


def name_user(base: FileTree | None) -> list[str]:
    """Commands that give the numeric user a name, where the base has none for it."""
    known = (base.text("etc/passwd") or "") if base else ""
    return [] if ":65532:" in known else [f"echo '{line}' >> /{path}" for path, line in ACCOUNT]


def why_root(request: Request, roots: Iterable[str]) -> str:
    """Why the container must go on as root, in a sentence; empty when nothing speaks for it. ``roots`` are the paths
    that the final stage takes from the build stage."""
    ports = (re.match(r"\d+", port) for port in request.image.config.exposed_ports)
    if any(port and int(port[0]) < _FIRST_FREE_PORT for port in ports):
        return "It stays root since it exposes a port below 1024, which some platforms deny to others."
    program = next((path for path in request.tree.nodes if _NEEDS_ROOT.fullmatch(path)), None)
    if program is not None:
        return f"It stays root since the image has /{program}, which needs it."
    if any(root.startswith("root/") for root in roots):
        return "It stays root since parts of the program lie in root's home directory."
    return _of_scripts(request)


def _of_scripts(request: Request) -> str:
    """What shell scripts of the command do that only root may, or that nobody knows what they do."""
    tree, config = request.tree, request.image.config
    words = (*(config.entrypoint or ()), *(config.cmd or ()))
    for path in shell_scripts(tree, config, words):
        text = tree.text(path)
        if text is None:
            return f"It stays root since what /{path[:80]} does is not known."
        if found := _ONLY_ROOT.search(text):
            return f"It stays root since /{path[:80]} calls {found[1]}."
    return ""
