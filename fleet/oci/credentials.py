"""Logins, and where Docker keeps them: config.json, its credential helpers and stores."""

from __future__ import annotations

from dataclasses import dataclass, field

from docker import auth
from docker.errors import DockerException

from fleet.oci.errors import Unauthorized


@dataclass(frozen=True, slots=True)
class Credentials:
    """A login. The repr hides it, so that no log and no traceback shows one.

    ``identity_token`` is an OAuth 2 refresh token, which some logins leave in Docker's config in place of a password.
    """

    username: str
    password: str = field(repr=False)
    identity_token: str = field(default="", repr=False)


def from_docker_config(registry: str) -> Credentials | None:
    """What ``docker login`` stored for ``registry`` (a host with its port), or None.

    Raises Unauthorized when a configured credential helper fails.
    """
    try:
        entry = auth.load_config().resolve_authconfig(registry) or {}
    except (DockerException, OSError, ValueError) as error:
        raise Unauthorized(
            f"Docker's configuration has a login for {registry} that cannot be read. Run docker login {registry} again."
        ) from error
    # Helpers answer with capitals, the config file does not.
    fields = {key.lower(): value for key, value in entry.items() if isinstance(value, str) and value}
    if "identitytoken" in fields:
        return Credentials("", "", fields["identitytoken"])
    if "username" not in fields:
        return None
    return Credentials(fields["username"], fields.get("password", ""))
