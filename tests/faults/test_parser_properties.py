"""What registries send besides layers, as nobody would write it: a value or a sentence, never another exception."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fleet.oci import media_types
from fleet.oci.authorization import Challenge, parse_challenge
from fleet.oci.digests import is_digest
from fleet.oci.document import parse_moment
from fleet.oci.errors import RateLimited, RegistryError
from fleet.oci.failures import status_failure
from fleet.oci.manifest import Index, Manifest, Platform, choose_platform, parse_config, parse_manifest
from fleet.oci.media_types import describe_artifact
from fleet.oci.origin import Origin, Target, registry_origins
from fleet.oci.pace import parse_limit
from fleet.oci.pages import next_path
from fleet.oci.reference import Reference, is_repository, is_tag, parse_location
from fleet.oci.wording import shown

often = settings(deadline=None, derandomize=True, max_examples=200, suppress_health_check=[HealthCheck.too_slow])

DIGEST = f"sha256:{'0' * 64}"
LAYER = {"mediaType": media_types.OCI_LAYER_GZIP, "digest": DIGEST, "size": 12, "annotations": {"a": "b"}}
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": media_types.OCI_MANIFEST,
    "config": {"mediaType": media_types.OCI_CONFIG, "digest": DIGEST, "size": 2},
    "layers": [LAYER, {**LAYER, "mediaType": media_types.DOCKER_FOREIGN_LAYER, "urls": ["https://a.test/b"]}],
    "annotations": {"org.opencontainers.image.title": "app"},
    "subject": {"mediaType": media_types.OCI_MANIFEST, "digest": DIGEST, "size": 2},
}
INDEX = {
    "schemaVersion": 2,
    "mediaType": media_types.OCI_INDEX,
    "manifests": [
        {
            "mediaType": media_types.OCI_MANIFEST,
            "digest": DIGEST,
            "size": 7,
            "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"},
        },
        {
            "mediaType": media_types.OCI_MANIFEST,
            "digest": DIGEST,
            "size": 7,
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
        },
    ],
}
CONFIG = {
    "created": "2024-02-29T12:00:00.123456789+02:00",
    "os": "linux",
    "architecture": "amd64",
    "config": {
        "User": "1000",
        "Env": ["PATH=/bin", "EMPTY="],
        "Entrypoint": ["/app"],
        "Cmd": None,
        "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/data": {}},
        "Labels": {"a": "b"},
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 10**9, "Retries": 3},
    },
    "rootfs": {"type": "layers", "diff_ids": [DIGEST]},
    "history": [{"created": "2024-02-29T12:00:00Z", "created_by": "RUN true", "empty_layer": True}],
}
KNOWN = sorted({*MANIFEST, *INDEX, *CONFIG, *LAYER, *CONFIG["config"], "platform", "fsLayers", "artifactType"})  # type: ignore[misc]
TYPES = st.sampled_from(
    [
        "",
        media_types.OCI_MANIFEST,
        media_types.DOCKER_MANIFEST,
        media_types.OCI_INDEX,
        media_types.DOCKER_INDEX,
        media_types.SCHEMA1,
        "application/json; charset=utf-8",
        "text/html",
    ]
)
TEXT = st.one_of(st.text(max_size=20), st.text(st.characters(categories=["Cs", "Cc", "Nd", "Lo"]), max_size=10))
LEAF = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**63 - 1, 2**63, 10**400, DIGEST, "sha256:x", media_types.OCI_MANIFEST]),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
)
VALUE = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from(KNOWN), TEXT), inner, max_size=4)
    ),
    max_leaves=12,
)


def or_error(read: Callable[[], Any]) -> Any:
    """What ``read`` gives, None where it refuses with one sentence for people."""
    refusal = None
    value = None
    try:
        value = read()
    except RegistryError as error:
        refusal = str(error)
    if refusal is not None:
        assert refusal.endswith(".")
        assert refusal.isprintable()
        assert len(refusal) < 1000
    return value


def mutated(draw: st.DrawFn, original: dict[str, Any]) -> dict[str, Any]:
    """A valid document of which one to three places hold something else, or nothing."""
    document = deepcopy(original)
    for _ in range(draw(st.integers(1, 3))):
        place: Any = document
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and draw(st.booleans()):
                place = place[key]
                continue
            if draw(st.booleans()):
                del place[key]
            else:
                place[key] = draw(VALUE)
            break
    return document


@st.composite
def documents(draw: st.DrawFn, *originals: dict[str, Any]) -> bytes:
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return json.dumps(draw(VALUE)).encode()
    return json.dumps(mutated(draw, draw(st.sampled_from(originals)))).encode()


def storable(text: str) -> bool:
    """Whether a database takes it."""
    text.encode()
    return "\0" not in text


@often
@given(documents(MANIFEST, INDEX), TYPES)
@example(json.dumps(MANIFEST).encode(), media_types.OCI_MANIFEST)
@example(json.dumps(INDEX).encode(), "")
def test_manifests(body: bytes, media_type: str) -> None:
    found = or_error(lambda: parse_manifest(body, media_type))
    if isinstance(found, Manifest):
        assert 0 <= found.compressed_bytes < 2**63
        assert all(is_digest(layer.digest) for layer in (*found.layers, found.config))
        assert all(storable(text) for item in found.annotations.items() for text in item)
        describe_artifact(found)
    elif isinstance(found, Index):
        chosen = or_error(lambda: choose_platform(found, Platform("linux", "arm64", "v8")))
        assert chosen is None or chosen in found.manifests


@often
@given(documents(CONFIG))
@example(json.dumps(CONFIG).encode())
def test_configs(body: bytes) -> None:
    found = or_error(lambda: parse_config(body))
    if found is not None:
        texts = (found.user, found.working_dir, *found.env, *(found.cmd or ()), *(found.entrypoint or ()))
        assert all(map(storable, texts))
        assert all(storable(text) for label in found.labels.items() for text in label)
        assert all(storable(entry.created_by) for entry in found.history)


@often
@given(st.one_of(st.binary(max_size=200), TEXT.map(lambda text: text.encode(errors="replace"))))
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"\xff\xfe{\0}\0")
@example(b"1" * 5000)
@example(b'{"schemaVersion": NaN}')
@example(b"<!DOCTYPE html>")
def test_bodies_that_are_no_documents(body: bytes) -> None:
    assert or_error(lambda: parse_manifest(body, media_types.OCI_MANIFEST)) is None
    or_error(lambda: parse_config(body))


def test_the_valid_documents_are_read() -> None:
    """Or the properties above would hold of nothing."""
    assert len(parse_manifest(json.dumps(MANIFEST).encode(), "").layers) == 2  # type: ignore[union-attr]
    assert len(parse_manifest(json.dumps(INDEX).encode(), "").manifests) == 2  # type: ignore[union-attr]
    assert parse_config(json.dumps(CONFIG).encode()).diff_ids == (DIGEST,)


@pytest.mark.parametrize("count", [1000, 1001])
def test_an_image_has_so_many_layers_and_no_more(count: int) -> None:
    body = json.dumps({**MANIFEST, "layers": [LAYER] * count}).encode()
    found = or_error(lambda: parse_manifest(body, ""))
    assert (found is None) == (count > 1000)


def test_sizes_that_no_figure_holds_are_refused() -> None:
    body = json.dumps({**MANIFEST, "layers": [{**LAYER, "size": 2**63 - 1}] * 2}).encode()
    with pytest.raises(RegistryError, match="claims"):
        parse_manifest(body, "")


WORD = st.text(st.sampled_from("abcXYZ-_"), min_size=1, max_size=12)


@often
@given(st.one_of(TEXT, st.text(st.sampled_from('Bearer Basic realm="\\,=: \t'), max_size=60)))
@example('Bearer realm="unclosed')
@example("Bearer " + 'a="' * 10_000)
@example("Bearer " + "=" * 10_000)
@example("Bearer " + '\\"' * 10_000)
def test_challenges_of_any_text(header: str) -> None:
    found = parse_challenge(header)
    assert found is None or found.scheme in ("bearer", "basic")


@often
@given(
    st.dictionaries(WORD.map(str.lower), st.text(st.characters(codec="latin-1", exclude_characters="\0"), max_size=20)),
    st.sampled_from(["Bearer", "bearer", "BASIC"]),
)
def test_challenges_are_read_as_they_were_written(parameters: dict[str, str], scheme: str) -> None:
    quoted = (name + '="' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for name, value in parameters.items())
    assert parse_challenge(f"{scheme} {', '.join(quoted)}") == Challenge(scheme.lower(), parameters)


HOME = Target(Origin("https", "registry.test", 443), "/v2/team/app/tags/list?n=1000")


def following(link: str) -> str | None:
    answer = SimpleNamespace(headers={"Link": link}, target=HOME, where="registry.test")
    return next_path(answer)  # type: ignore[arg-type]


@often
@given(st.one_of(TEXT, st.text(st.sampled_from('<>;=" relnxt,/?:@[].%a\\'), max_size=60)))
@example('<http://[::1>; rel="next"')
@example('<//evil.test/v2/>; rel="next"')
@example('<https://user:hunter2@registry.test/v2/>; rel="next"')
@example('<\\\\evil.test/v2/>; rel="next"')
@example('<https://registry.test:99999/v2/>; rel="next"')
@example("<" * 10_000)
@example("<a>" * 3000)
def test_links_of_any_text(link: str) -> None:
    for text in (link, f'<{link}>; rel="next"'):
        path = or_error(lambda text=text: following(text))
        if path is not None:
            assert path.startswith("/")
            assert path.isascii()
            assert path.isprintable()
            assert " " not in path


@often
@given(st.text(st.sampled_from("abc-._09"), min_size=1, max_size=20), st.booleans(), st.booleans())
def test_links_lead_to_the_next_page(last: str, absolute: bool, quoted: bool) -> None:
    path = f"/v2/team/app/tags/list?last={last}&n=1000"
    rel = '"next"' if quoted else "next"
    assert following(f"<{'https://registry.test' if absolute else ''}{path}>; rel={rel}") == path


@often
@given(st.one_of(TEXT, st.text(st.sampled_from("abcA0.-_/:@[]"), max_size=60)))
@example("registry.test:99999/a")
@example("a" * 300)
@example("docker-daemon:")
@example("oci:\0")
@example("docker://" + "a/" * 300)
@example("[::1]:5000/a@sha256:" + "0" * 64)
def test_references_of_any_text(text: str) -> None:
    found = or_error(lambda: Reference.parse(text))
    or_error(lambda: parse_location(text))
    or_error(lambda: registry_origins(text))
    or_error(lambda: Platform.parse(text))
    if found is not None:
        assert is_repository(found.repository)
        assert found.tag is None or is_tag(found.tag)
        assert Reference.parse(str(found)) == found
        or_error(lambda: registry_origins(found.registry))


PART = st.from_regex(r"[a-z0-9]{1,5}((\.|_|__|-{1,2})[a-z0-9]{1,5}){0,2}", fullmatch=True)


@often
@given(
    st.sampled_from(["registry.test", "localhost:5000", "[::1]:5000", "HOST", "docker.io"]),
    st.lists(PART, min_size=2, max_size=4).map("/".join),
    st.one_of(st.none(), st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", fullmatch=True)),
    st.booleans(),
)
def test_references_are_read_as_they_were_written(host: str, path: str, tag: str | None, pinned: bool) -> None:
    text = f"{host}/{path}" + (f":{tag}" if tag else "") + (f"@{DIGEST}" if pinned else "")
    assert Reference.parse(text) == Reference(host, path, tag, DIGEST if pinned else None)
    assert str(Reference.parse(text)) == text


@often
@given(st.one_of(TEXT, st.text(st.sampled_from("0123456789.e+-:;w= GMTSunJan"), max_size=40)))
@example("1e999")
@example("9" * 60)
@example("-5")
@example("٣")
@example("Sun, 31 Feb 2024 25:61:61 GMT")
@example("Sun, 06 Nov 99999 08:49:37 GMT")
@example("Sun, 06 Nov 2094 08:49:37 +9999")
def test_what_headers_say_of_time_and_limits(text: str) -> None:
    answer = SimpleNamespace(status=429, headers={"Retry-After": text}, where="registry.test", excerpt=lambda: b"")
    failure = status_failure(answer, "tags", signed_in=False)  # type: ignore[arg-type]
    assert isinstance(failure, RateLimited)
    wait = failure.retry_after_seconds
    assert wait is None or 0 <= wait <= 86_400
    limit = parse_limit({"RateLimit-Limit": text, "ratelimit-remaining": text})
    assert limit is None or 0 <= limit.requests < 2**31
    parse_moment(text)


@often
@given(TEXT)
@example("https://user:hunter2@host/")
@example("\x1b[31mred\x1b[0m\r\n")
def test_foreign_words_are_printable_and_short(text: str) -> None:
    said = shown(text)
    assert said.isprintable()
    assert len(said) <= 100
    assert "hunter2" not in said
