"""Push events: which repositories the body of a registry's webhook says were pushed to.

The senders are told apart by the shape of what they send. An event is a hint and nothing more: it names a repository
that is worth reading again, so what is missing or odd beside the name is left out rather than refused.

Shapes: https://distribution.github.io/distribution/about/notifications/,
https://goharbor.io/docs/latest/working-with-projects/project-configuration/configure-webhooks/,
https://docs.docker.com/docker-hub/webhooks/, https://docs.quay.io/guides/notifications.html,
https://docs.github.com/en/webhooks/webhook-events-and-payloads#package,
https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html,
https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from fleet.oci import media_types
from fleet.oci.digests import is_digest
from fleet.oci.document import clean
from fleet.oci.errors import InvalidReference, InvalidResponse, TooLarge
from fleet.oci.reference import Reference, is_repository, is_tag

BODY_LIMIT_BYTES = 1 << 20
EVENTS_LIMIT = 1000

Fields = Mapping[str, object]

_CLOUD_EVENT = "application/cloudevents+json"
_CLOUD_EVENTS = "application/cloudevents-batch+json"
_FORM = "application/x-www-form-urlencoded"
# Types are reverse DNS names of anybody's making: harbor.artifact.pushed, Microsoft.ContainerRegistry.ImagePushed.
_PUSH = re.compile("push|publish", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push as its sender tells it. ``repository`` is named as the registry's own API names it."""

    repository: str
    tag: str | None = None
    digest: str | None = None


def pushed(body: bytes, content_type: str, headers: Mapping[str, str]) -> tuple[Pushed, ...]:
    """What was pushed, in the order of the body. Empty for events of another kind (deletes, pulls, scans, pings).

    Raises InvalidResponse for a body that is no event, TooLarge for one over the limits.
    """
    if len(body) > BODY_LIMIT_BYTES:
        raise TooLarge(f"The push event is larger than {BODY_LIMIT_BYTES:,} bytes. Have it sent in smaller parts.")
    lowered = {name.lower(): value for name, value in headers.items()}
    media_type = media_types.without_parameters(content_type)
    if media_type == _FORM:
        raise InvalidResponse("The push event is a form. Set the webhook's content type to application/json.")
    found: list[Pushed] = []
    for event in _read(_parse(body), media_type, lowered):
        if is_repository(event.repository):
            found.append(event)
        if len(found) > EVENTS_LIMIT:
            raise _too_many()
    return tuple(found)


def _parse(body: bytes) -> object:
    if not body:
        raise InvalidResponse("The push event has no body. Have it sent with one, and with its Content-Length.")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidResponse("The push event is no valid JSON. Check what sends it, and in which format.") from None


def _read(value: object, media_type: str, headers: Mapping[str, str]) -> Iterator[Pushed]:
    if isinstance(value, list):
        if media_type != _CLOUD_EVENTS:
            raise _unknown()
        for item in _bounded(value):
            yield from _cloud_event(_fields(item), _fields(_fields(item).get("data")))
    elif not isinstance(value, dict) or media_type == _CLOUD_EVENTS:
        raise _unknown()
    elif "x-github-event" in headers:
        yield from _github(value, headers["x-github-event"])
    elif "ce-specversion" in headers:
        named = {name.removeprefix("ce-"): unquote(text) for name, text in headers.items() if name.startswith("ce-")}
        yield from _cloud_event(named, value)
    elif "specversion" in value or media_type == _CLOUD_EVENT:
        yield from _cloud_event(value, _fields(value.get("data")))
    else:
        yield from _plain(value)


def _plain(event: Fields) -> Iterable[Pushed]:
    """An event without an envelope that says whose it is."""
    if isinstance(event.get("events"), list):
        return (push for item in _bounded(_items(event, "events")) for push in _distribution(_fields(item)))
    if _text(event, "action") and "target" in event:
        return _distribution(event)
    if _text(event, "source") == "aws.ecr":
        return _ecr(event)
    if _text(event, "type") and "event_data" in event:
        return _harbor(_fields(event["event_data"])) if _text(event, "type") == "PUSH_ARTIFACT" else ()
    if "push_data" in event and "repository" in event:
        return _docker_hub(event)
    if "docker_url" in event and "repository" in event:
        return _quay(event)
    raise _unknown()


def _cloud_event(attributes: Fields, data: Fields) -> Iterator[Pushed]:
    """https://github.com/cloudevents/spec: ``type`` says what happened, ``data`` is of whoever sends it."""
    kind = _text(attributes, "type")
    if not kind or not _text(attributes, "specversion"):
        raise _unknown()
    if not _PUSH.search(kind):
        return
    if isinstance(data.get("repository"), dict):
        yield from _harbor(data)
    elif "target" in data:
        yield from _distribution({"action": "push", **data})
    elif _text(data, "repository"):
        yield _push(_text(data, "repository"), _text(data, "tag"), _text(data, "digest"))
    else:
        raise InvalidResponse(
            "The CloudEvent's data names no repository. Send it as the text repository, and tag and digest beside it."
        )


def _distribution(event: Fields) -> Iterator[Pushed]:
    """Blobs are announced in the same way, before the manifest that needs them."""
    target = _fields(event.get("target"))
    media_type = media_types.without_parameters(_text(target, "mediaType"))
    if _text(event, "action") == "push" and _is_manifest(media_type):
        yield _push(_text(target, "repository"), _text(target, "tag"), _text(target, "digest"))


def _is_manifest(media_type: str) -> bool:
    return (
        media_types.is_image_manifest(media_type)
        or media_types.is_index(media_type)
        or media_types.is_schema1(media_type)
    )


def _harbor(data: Fields) -> Iterator[Pushed]:
    """What was pushed without a tag has its digest for one."""
    repository = _fields(data.get("repository"))
    name = _text(repository, "repo_full_name") or _joined(repository, "namespace", "name")
    for resource in _items(data, "resources") or [{}]:
        yield _push(name, _text(_fields(resource), "tag"), _text(_fields(resource), "digest"))


def _docker_hub(event: Fields) -> Iterator[Pushed]:
    repository = _fields(event["repository"])
    name = _text(repository, "repo_name") or _joined(repository, "namespace", "name")
    yield _push(name, _text(_fields(event["push_data"]), "tag"))


def _quay(event: Fields) -> Iterator[Pushed]:
    """Builds and scans come in the same clothes, but update no tags. Older versions map each tag to an image."""
    tags = event.get("updated_tags")
    for tag in tags if isinstance(tags, list | dict) else ():
        yield _push(_text(event, "repository"), tag if isinstance(tag, str) else "")


def _github(event: Fields, kind: str) -> Iterator[Pushed]:
    """A webhook may be set to send everything that happens on GitHub; ``ping`` is sent when it is made."""
    if kind not in ("package", "registry_package") or _text(event, "action") not in ("published", "updated"):
        return
    package = _fields(event.get(kind))
    if _text(package, "package_type").lower() not in ("container", "docker"):
        return
    version = _fields(package.get("package_version"))
    tag = _fields(_fields(version.get("container_metadata")).get("tag"))
    name = _repository_in(_text(version, "package_url")) or _joined(package, "namespace", "name").lower()
    yield _push(name, _text(tag, "name"), _text(tag, "digest"))


def _repository_in(package_url: str) -> str:
    """The name in ``ghcr.io/owner/app:tag``; a push without a tag ends in the colon."""
    try:
        return Reference.parse(package_url.removesuffix(":")).repository
    except InvalidReference:
        return ""


def _ecr(event: Fields) -> Iterator[Pushed]:
    detail = _fields(event.get("detail"))
    if _text(detail, "action-type") == "PUSH" and _text(detail, "result") in ("SUCCESS", ""):
        yield _push(_text(detail, "repository-name"), _text(detail, "image-tag"), _text(detail, "image-digest"))


def _push(repository: str, tag: str = "", digest: str = "") -> Pushed:
    return Pushed(repository, tag if is_tag(tag) else None, digest if is_digest(digest) else None)


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    return clean(value) if isinstance(value, str) else ""


def _fields(value: object) -> Fields:
    return value if isinstance(value, dict) else {}


def _items(fields: Fields, name: str) -> list[object]:
    value = fields.get(name)
    return value if isinstance(value, list) else []


def _joined(fields: Fields, *names: str) -> str:
    return "/".join(_text(fields, name) for name in names)


def _bounded(items: list[object]) -> list[object]:
    if len(items) > EVENTS_LIMIT:
        raise _too_many()
    return items


def _too_many() -> TooLarge:
    return TooLarge(f"The body holds more than {EVENTS_LIMIT:,} push events. Have them sent in smaller parts.")


def _unknown() -> InvalidResponse:
    return InvalidResponse(
        "The body is no push event that is known here. Send those of distribution, Harbor, Docker Hub, Quay, GitHub "
        "packages or Amazon EventBridge, or CloudEvents."
    )
