"""The client against CNCF distribution itself."""

import pytest

from fleet.oci.client import RegistryClient
from fleet.oci.credentials import Credentials
from fleet.oci.errors import NotFound, Unauthorized
from fleet.oci.manifest import parse_config, parse_manifest
from fleet.oci.reference import Reference
from fleet.oci.sources import open_endpoint, open_location
from tests.oci.content import make_sample, push

pytestmark = pytest.mark.registry


def test_an_image_is_read_whole(debian_registry, sample):
    push(debian_registry, "team/app", "1.0", sample)
    source, reference = open_location(Reference.parse(f"{debian_registry.host}/team/app:1.0"))
    descriptor, body = source.manifest(reference)
    assert source.name == f"{debian_registry.host}/team/app"
    assert (source.head(reference), body) == (descriptor, sample.manifest)
    manifest = parse_manifest(body, descriptor.media_type)
    assert parse_config(b"".join(source.blob(manifest.config))).platform.architecture == "amd64"
    assert b"".join(source.blob(manifest.layers[0])) == sample.layer
    source.close()


def test_unchanged_tags_cost_one_head_each(debian_registry, sample):
    for number in range(5):
        push(debian_registry, "heads", f"{number}", sample)
    before = len(debian_registry.requests())
    client = RegistryClient(debian_registry.url)
    for number in range(5):
        client.head("heads", f"{number}")
    asked = debian_registry.requests()[before:]
    assert [method for method, _, _ in asked] == ["HEAD"] * 5


def test_an_endpoint_lists_what_is_there(debian_registry):
    push(debian_registry, "listed/one", "a", make_sample(b"1"))
    push(debian_registry, "listed/one", "b", make_sample(b"2"))
    push(debian_registry, "listed/two", "a", make_sample(b"3"))
    endpoint = open_endpoint("distribution", debian_registry.url)
    endpoint.check()
    assert {"listed/one", "listed/two"} <= set(endpoint.repositories())
    assert sorted(endpoint.tags("listed/one")) == ["a", "b"]
    assert endpoint.source("listed/two").head("a").digest == make_sample(b"3").digest
    assert endpoint.stats.requests == 4
    endpoint.close()


def test_what_is_not_there_is_not_found(debian_registry, sample):
    push(debian_registry, "team/app", "1.0", sample)
    client = RegistryClient(debian_registry.url)
    with pytest.raises(NotFound, match=r"has no team/app:2\.0"):
        client.head("team/app", "2.0")
    with pytest.raises(NotFound, match="has no team/app"):
        client.manifest("team/app", "2.0")
    with pytest.raises(NotFound):
        list(client.tags("nobody/nothing"))


def test_a_login_is_wanted_refused_and_taken(locked_registry):
    with pytest.raises(Unauthorized, match="wants a login"):
        RegistryClient(locked_registry.url).check()
    with pytest.raises(Unauthorized, match="refused the login"):
        RegistryClient(locked_registry.url, credentials=Credentials("reader", "wrong")).check()
    client = RegistryClient(locked_registry.url, credentials=Credentials("reader", "s3cret"))
    client.check()
    assert list(client.repositories()) == []
