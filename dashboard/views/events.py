"""Where registries announce pushes. Nobody is signed in here: the registry's push secret proves who sends.

An event is a hint: it names repositories, which workers then read again from the registry itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseNotAllowed, JsonResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from fleet import tasks
from fleet.models import PushedRepository, Registry
from fleet.models.push import push_secret, push_token
from fleet.oci import events
from fleet.oci.errors import RegistryError, TooLarge

REFUSED = (
    "The push event was not accepted. Check that the registry of this URL exists, is enabled and has a secret of push "
    "events, and that the sender signs with it."
)


@csrf_exempt
@login_not_required
def push_events(request: HttpRequest, registry: int, token: str = "") -> HttpResponseBase:
    """``{"accepted": N}`` for N pushes. Whatever is wrong with the registry or the proof, the answer is one and the
    same."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    try:
        length_bytes = int(request.headers.get("Content-Length") or 0)
        if length_bytes > events.BODY_LIMIT_BYTES:
            return _error(413, f"The push event is larger than {events.BODY_LIMIT_BYTES:,} bytes.")
        body = request.body
    except (ValueError, UnreadablePostError):
        return _error(400, "The push event did not arrive whole. Send it again.")
    found = Registry.objects.only("push_secret").filter(pk=registry, enabled=True).first()
    if found is None or not _is_proven(request, found, token, body):
        return _error(403, REFUSED)
    try:
        pushed = events.pushed(body, request.headers.get("Content-Type", ""), request.headers)
    except TooLarge as error:
        return _error(413, str(error))
    except RegistryError as error:
        return _error(400, str(error))
    _note(found, {push.repository for push in pushed})
    return JsonResponse({"accepted": len(pushed)}, status=202)


def _note(registry: Registry, repositories: set[str]) -> None:
    """A repository that waits to be read waits once, and workers are told once: a storm of events is merged."""
    waiting = registry.pushed.filter(repository__in=repositories).values_list("repository", flat=True)
    new = sorted(repositories.difference(waiting)) if repositories else []
    if new:
        rows = [PushedRepository(registry=registry, repository=repository) for repository in new]
        PushedRepository.objects.bulk_create(rows, ignore_conflicts=True)
        tasks.enqueue_pushed(registry.pk)


def _is_proven(request: HttpRequest, registry: Registry, token: str, body: bytes) -> bool:
    secret = push_secret(registry)
    if not secret:
        return False
    signature = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    proofs = [
        _same(_header(request, "X-Hub-Signature-256"), signature.encode()),
        _same(token.encode(), push_token(registry).encode()),
        *(_same(given, secret) for given in _authorizations(_header(request, "Authorization"))),
    ]
    return any(proofs)


def _authorizations(header: bytes) -> Iterator[bytes]:
    """What an ``Authorization`` header may mean by the secret: all of it, a bearer's token, a password."""
    yield header
    scheme, _, rest = header.partition(b" ")
    if scheme.lower() == b"bearer":
        yield rest.strip()
    elif scheme.lower() == b"basic":
        try:
            yield base64.b64decode(rest, validate=True).partition(b":")[2]
        except ValueError:
            return


def _header(request: HttpRequest, name: str) -> bytes:
    """As it was sent: WSGI hands headers over as Latin-1."""
    return request.headers.get(name, "").encode("latin-1", "replace")


def _same(given: bytes, wanted: bytes) -> bool:
    """In a time that tells neither what was wanted nor how long it is."""
    return hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(wanted).digest())


def _error(status: int, message: str) -> JsonResponse:
    return JsonResponse({"error": message}, status=status)
