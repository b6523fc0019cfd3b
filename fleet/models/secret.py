"""A text column that is encrypted at rest.

Fernet (AES-128-CBC with HMAC-SHA256) from ``cryptography``; the first key of ``settings.PLIMSOLL_SECRET_KEYS``
encrypts, every key decrypts, so that keys can be rotated. A value that no key opens reads as ``UNREADABLE``: a lost
key must not take the registry's page down with it.
"""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

UNREADABLE = "\0unreadable"


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.PLIMSOLL_SECRET_KEYS])


class SecretField(models.TextField):
    """Stores ciphertext, gives plain text. Empty stays empty."""

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return _fernet().encrypt(text.encode()).decode() if text else text

    def from_db_value(self, value: str | None, expression: object, connection: object) -> str | None:
        if not value:
            return value
        try:
            return _fernet().decrypt(value.encode()).decode()
        except InvalidToken:
            return UNREADABLE
