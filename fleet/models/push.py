"""What proves a push event: the secret that a registry shares with Plimsoll, and the URL for senders that know no
secret."""

from __future__ import annotations

import hashlib
import hmac

from django.urls import reverse

from fleet.models.registry import Registry
from fleet.models.secret import UNREADABLE


def push_secret(registry: Registry) -> bytes:
    """Empty where push events are refused: none was entered, or no key opens it."""
    return b"" if registry.push_secret == UNREADABLE else registry.push_secret.encode()


def push_token(registry: Registry) -> str:
    """What stands for the secret in a URL, which servers on the way may log: it opens this one registry's endpoint and
    gives the secret itself away to nobody. Empty where push events are refused."""
    secret = push_secret(registry)
    return hmac.new(secret, str(registry.pk).encode(), hashlib.sha256).hexdigest() if secret else ""


def push_url(registry: Registry) -> str:
    """The path for senders that can be given a URL and nothing else (Docker Hub, Quay). Empty where push events are
    refused. Who has it can announce pushes: show it to those who may change the registry."""
    token = push_token(registry)
    return reverse("push-events-by-url", args=[registry.pk, token]) if token else ""
