"""Columns that a page has no use for: secrets, which are not even decrypted, and long texts."""

from __future__ import annotations

from fleet.models import Registry
from fleet.models.secret import SecretField

SECRETS = tuple(field.name for field in Registry._meta.concrete_fields if isinstance(field, SecretField))
_LONG = (
    "ca_certificate",
    "client_certificate",
    "include",
    "exclude",
    "name_rules",
    "owner_rules",
    "base_mirrors",
)


def registry_columns(prefix: str = "registry__") -> tuple[str, ...]:
    """For ``defer``: of the registry that is reached through ``prefix``."""
    return tuple(f"{prefix}{name}" for name in (*SECRETS, *_LONG))


def service_columns(prefix: str = "") -> tuple[str, ...]:
    return f"{prefix}dockerfile", f"{prefix}skipped"
