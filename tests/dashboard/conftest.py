"""Signed-in clients for pages, over plain HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.dashboard.factories import make_user


@pytest.fixture(autouse=True)
def plain_http(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def reader(db: None) -> Client:
    """A client of a user who may only look."""
    return _signed_in(staff=False)


@pytest.fixture
def staff(db: None) -> Client:
    return _signed_in(staff=True)


def _signed_in(*, staff: bool) -> Client:
    client = Client()
    client.force_login(make_user("staff" if staff else "reader", staff=staff))
    return client
