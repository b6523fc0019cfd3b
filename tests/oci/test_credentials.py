import base64
import json

import pytest

from fleet.oci.credentials import Credentials, from_docker_config
from fleet.oci.errors import Unauthorized


def write(directory, content):
    (directory / "config.json").write_text(json.dumps(content))


def login(user, password):
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_no_configuration_means_no_login(docker_config):
    assert from_docker_config("registry.example.com") is None


def test_the_login_of_a_registry_is_found_by_its_host(docker_config):
    write(
        docker_config,
        {"auths": {"registry.example.com:5000": login("me", "a:b"), "https://index.docker.io/v1/": login("hub", "x")}},
    )
    assert from_docker_config("registry.example.com:5000") == Credentials("me", "a:b")
    assert from_docker_config("docker.io") == Credentials("hub", "x")
    assert from_docker_config("other.example.com") is None


def test_an_identity_token_is_a_login(docker_config):
    write(docker_config, {"auths": {"a.example.com": {**login("<token>", ""), "identitytoken": "refresh me"}}})
    assert from_docker_config("a.example.com") == Credentials("", "", "refresh me")


def test_a_credential_helper_is_asked(docker_config, tmp_path, monkeypatch):
    helper = tmp_path / "docker-credential-fake"
    helper.write_text('#!/bin/sh\necho \'{"ServerURL":"x","Username":"helped","Secret":"s"}\'\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    write(docker_config, {"credHelpers": {"a.example.com": "fake"}})
    assert from_docker_config("a.example.com") == Credentials("helped", "s")


@pytest.mark.filterwarnings("ignore:docker-credential")
def test_a_helper_that_is_missing_ends_in_a_sentence(docker_config):
    write(docker_config, {"credHelpers": {"a.example.com": "is-not-installed"}})
    with pytest.raises(Unauthorized, match=r"docker login a\.example\.com"):
        from_docker_config("a.example.com")
