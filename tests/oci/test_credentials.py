import base64
import json
import time
from pathlib import Path

import pytest

from fleet.oci.credentials import Credentials, Renewed, docker_login, from_docker_config
from fleet.oci.errors import InvalidReference, Unauthorized, Unreachable


def write(directory, content):
    (directory / "config.json").write_text(json.dumps(content))


def login(user, password):
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def helper(tmp_path, monkeypatch):
    """Puts docker-credential-fake, a shell script, on PATH. What it is asked for ends up in the file ``asked``."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory), prepend=":")
    asked = tmp_path / "asked"

    def install(script):
        program = directory / "docker-credential-fake"
        program.write_text(f'#!/bin/sh\nserver=$(cat)\necho "$1 $server" >> {asked}\n{script}\n')
        program.chmod(0o755)
        return lambda: asked.read_text().splitlines() if asked.exists() else []

    return install


def answer(user, secret):
    return f"echo '{json.dumps({'ServerURL': 'x', 'Username': user, 'Secret': secret})}'"


NOT_FOUND = "echo 'credentials not found in native keychain'; exit 1"


def test_no_configuration_means_no_login(docker_config):
    assert from_docker_config("registry.example.com") is None


def test_the_login_of_a_registry_is_found_by_its_host(docker_config):
    write(
        docker_config,
        {"auths": {"registry.example.com:5000": login("me", "a:b"), "https://index.docker.io/v1/": login("hub", "x")}},
    )
    assert from_docker_config("registry.example.com:5000") == Credentials("me", "a:b")
    assert from_docker_config("docker.io") == Credentials("hub", "x")
    assert from_docker_config("registry.example.com") is None
    assert from_docker_config("other.example.com") is None


@pytest.mark.parametrize(
    "key",
    [
        "registry.example.com:5000",
        "https://registry.example.com:5000",
        "https://registry.example.com:5000/v1/",
        "http://Registry.example.com:5000/v2/",
    ],
)
def test_every_form_that_docker_wrote_a_registry_in_is_known(docker_config, key):
    write(docker_config, {"auths": {key: login("me", "x")}})
    assert from_docker_config("registry.example.com:5000") == Credentials("me", "x")


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"])
@pytest.mark.parametrize("registry", ["docker.io", "index.docker.io", "https://index.docker.io/v1/"])
def test_docker_hub_has_many_names(docker_config, key, registry):
    write(docker_config, {"auths": {key: login("hub", "x")}})
    assert from_docker_config(registry) == Credentials("hub", "x")


def test_an_identity_token_is_a_login(docker_config):
    write(docker_config, {"auths": {"a.example.com": {**login("<token>", ""), "identitytoken": "refresh me"}}})
    assert from_docker_config("a.example.com") == Credentials("", "", "refresh me")


def test_a_login_in_clear_is_one_too(docker_config):
    write(docker_config, {"auths": {"a.example.com": {"username": "me", "password": "x"}}})
    assert from_docker_config("a.example.com") == Credentials("me", "x")


@pytest.mark.parametrize(("registry", "server"), [("a.example.com:5000", "a.example.com:5000"), ("docker.io", "")])
def test_a_credential_helper_is_asked_for_its_registry_alone(docker_config, helper, registry, server):
    asked = helper(answer("helped", "s"))
    key = server or "https://index.docker.io/v1/"
    write(docker_config, {"credHelpers": {key: "fake"}, "auths": {registry: login("not", "this")}})
    assert from_docker_config(registry) == Credentials("helped", "s")
    assert asked() == [f"get {key}"]
    assert from_docker_config("other.example.com") is None
    assert len(asked()) == 1


def test_the_store_is_asked_for_every_other_registry(docker_config, helper):
    asked = helper(answer("stored", "s"))
    write(docker_config, {"credsStore": "fake", "credHelpers": {"a.example.com": "is-not-installed"}})
    assert from_docker_config("b.example.com") == Credentials("stored", "s")
    assert asked() == ["get b.example.com"]
    with pytest.raises(Unauthorized, match=r"is not installed here\. .*docker login a\.example\.com"):
        from_docker_config("a.example.com")


def test_a_store_that_knows_none_leaves_the_file(docker_config, helper):
    helper(NOT_FOUND)
    write(docker_config, {"credsStore": "fake", "auths": {"a.example.com": login("me", "x"), "b.example.com": {}}})
    assert from_docker_config("a.example.com") == Credentials("me", "x")
    assert from_docker_config("b.example.com") is None
    helper(answer("", ""))
    assert from_docker_config("b.example.com") is None


def test_a_store_is_asked_for_what_an_older_login_called_the_registry(docker_config, helper):
    asked = helper(f'case "$server" in https*) {answer("old", "s")};; *) {NOT_FOUND};; esac')
    write(docker_config, {"credsStore": "fake", "auths": {"https://a.example.com/v1/": {}}})
    assert from_docker_config("a.example.com") == Credentials("old", "s")
    assert asked() == ["get a.example.com", "get https://a.example.com/v1/"]


def test_an_identity_token_comes_from_a_helper_as_well(docker_config, helper):
    helper(answer("<token>", "refresh me"))
    write(docker_config, {"credsStore": "fake"})
    assert from_docker_config("a.example.com") == Credentials("", "", "refresh me")


def test_a_helper_that_hangs_is_ended_with_all_that_it_started(docker_config, helper, tmp_path):
    started = tmp_path / "started"
    helper(f"sleep 60 & echo $! > {started}; wait")
    write(docker_config, {"credsStore": "fake"})
    with pytest.raises(Unauthorized, match=r"fake gave no login for a\.example\.com within 0\.7 seconds"):
        from_docker_config("a.example.com", helper_seconds=0.7)
    deadline = time.monotonic() + 5
    while is_running(int(started.read_text())) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(int(started.read_text()))


def is_running(process):
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    # A zombie that nobody waits for runs no more.
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    "script", ["echo my-secret; exit 1", "echo my-secret", 'echo \'{"Username": "my-secret"}\'', "echo '[]'", "true"]
)
def test_a_helper_that_fails_ends_in_a_sentence_without_what_it_said(docker_config, helper, script):
    helper(script)
    write(docker_config, {"credHelpers": {"a.example.com": "fake"}})
    with pytest.raises(Unauthorized, match=r"docker login a\.example\.com again") as caught:
        from_docker_config("a.example.com")
    assert "my-secret" not in str(caught.value)


def test_a_helper_is_a_name_and_no_path(docker_config, helper):
    asked = helper(answer("helped", "s"))
    write(docker_config, {"credsStore": "../bin/docker-credential-fake"})
    with pytest.raises(Unauthorized, match="is not installed here"):
        from_docker_config("a.example.com")
    assert asked() == []


@pytest.mark.parametrize("content", ["{", "[]", "\u2026"])
def test_a_configuration_that_is_no_json_is_told(docker_config, content):
    (docker_config / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(Unauthorized, match=r"config\.json is no JSON object"):
        from_docker_config("a.example.com")


@pytest.mark.parametrize(
    "auths", [{"a.example.com": {"auth": "?"}}, {"a.example.com": {"auth": "bm9jb2xvbg=="}}, {"a.example.com": 1}, []]
)
def test_an_entry_that_is_none_is_told(docker_config, auths):
    write(docker_config, {"auths": auths or [1]})
    with pytest.raises(Unauthorized, match=r"docker login a\.example\.com again"):
        from_docker_config("a.example.com")


def test_the_login_of_a_url_is_kept_for_a_while(docker_config, helper):
    asked = helper(answer("helped", "s"))
    write(docker_config, {"credsStore": "fake"})
    source = docker_login("https://registry.example.com:5000/v2/")
    assert asked() == []
    assert [source(), source()] == [Credentials("helped", "s")] * 2
    assert asked() == ["get registry.example.com:5000"]
    with pytest.raises(InvalidReference):
        docker_login("ftp://registry.example.com")


def test_a_source_asks_again_when_its_login_is_old():
    logins = iter([(Credentials("first", "x"), 60.0), (Credentials("second", "x"), 0.0), (None, 60.0)])
    source = Renewed(lambda: next(logins))
    assert [source(), source()] == [Credentials("first", "x")] * 2
    source = Renewed(lambda: next(logins))
    assert [source(), source(), source()] == [Credentials("second", "x"), None, None]


def test_a_lasting_refusal_is_not_fetched_again_by_everyone_who_waited():
    asked = []

    def fetch():
        asked.append(1)
        raise (Unauthorized if len(asked) == 1 else Unreachable)("No.")

    source = Renewed(fetch)
    for _ in range(3):
        with pytest.raises(Unauthorized, match=r"No\."):
            source()
    assert len(asked) == 1


def test_a_passing_failure_is_no_refusal():
    logins = iter([Unreachable("No."), Credentials("me", "x")])

    def fetch():
        login = next(logins)
        if isinstance(login, Exception):
            raise login
        return login, 60.0

    source = Renewed(fetch)
    with pytest.raises(Unreachable):
        source()
    assert source() == Credentials("me", "x")


def test_a_login_hides_its_secrets():
    assert "s3cret" not in repr(Credentials("me", "s3cret", "s3cret"))
