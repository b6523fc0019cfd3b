"""A text column that is encrypted at rest.

Fernet (AES-128-CBC with HMAC-SHA256) from ``cryptography``; the first key of ``settings.PLIMSOLL_SECRET_KEYS``
encrypts, every key decrypts, so that keys can be rotated (``manage.py rotate_secrets``). A value that no key opens
reads as ``UNREADABLE``: a lost key must not take the registry's page down with it. Saving such a row keeps the
ciphertext, so that the value is there again when its key is.

What leaves or enters as a fixture (``dumpdata``, ``loaddata``) is ciphertext.
"""

from __future__ import annotations

import re
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

UNREADABLE = "\0unreadable"

# A version byte, eight bytes of time, an IV, at least one block and a MAC, in URL-safe base64.
_TOKEN = re.compile(r"gAAAA[A-Za-z0-9_-]{93,}={0,2}", re.ASCII)


class Unreadable(str):
    """``UNREADABLE`` with the ciphertext that it stands for."""

    ciphertext: str

    def __new__(cls, ciphertext: str) -> Unreadable:
        self = super().__new__(cls, UNREADABLE)
        self.ciphertext = ciphertext
        return self


def is_current(ciphertext: str) -> bool:
    """Whether the first key opens it, so that the others are not needed for it."""
    try:
        Fernet(settings.PLIMSOLL_SECRET_KEYS[0]).decrypt(ciphertext.encode())
    except InvalidToken:
        return False
    return True


def rotated(ciphertext: str) -> str | None:
    """The same secret under the first key; None where no key opens it."""
    try:
        return _fernet().rotate(ciphertext.encode()).decode()
    except InvalidToken:
        return None


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.PLIMSOLL_SECRET_KEYS])


def _encrypted(text: str) -> str:
    if isinstance(text, Unreadable):
        return text.ciphertext
    if text == UNREADABLE:
        raise ValueError("This stands for a secret that could not be decrypted, and is none itself.")
    return _fernet().encrypt(text.encode()).decode() if text else text


def _decrypted(ciphertext: str) -> str:
    try:
        return _fernet().decrypt(ciphertext.encode()).decode()
    except InvalidToken:
        return Unreadable(ciphertext)


class SecretField(models.TextField):
    """Stores ciphertext, gives plain text. Empty stays empty."""

    def get_prep_value(self, value: Any) -> Any:
        # Not through TextField: it calls to_python, which opens ciphertext.
        prepared = models.Field.get_prep_value(self, value)
        return prepared if prepared is None else _encrypted(prepared if isinstance(prepared, str) else str(prepared))

    def from_db_value(self, value: str | None, expression: object, connection: object) -> str | None:
        return _decrypted(value) if value else value

    def value_to_string(self, obj: models.Model) -> str:
        """For fixtures. What no key opens goes out as it is stored."""
        value: Any = self.value_from_object(obj)
        return _encrypted(value) if value else ""

    def to_python(self, value: Any) -> Any:
        """For fixtures. Ciphertext that no key opens is kept as it is."""
        if isinstance(value, str) and not isinstance(value, Unreadable) and _TOKEN.fullmatch(value):
            return _decrypted(value)
        return super().to_python(value)

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        """For forms. Opening ciphertext here would send a stolen one's secret to whatever URL the form names."""
        if isinstance(value, str) and not isinstance(value, Unreadable) and _TOKEN.fullmatch(value):
            raise ValidationError("This is an encrypted secret. Enter the secret itself.", code="encrypted")
        return super().clean(value, model_instance)
