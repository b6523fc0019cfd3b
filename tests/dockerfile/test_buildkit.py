"""The profile for BuildKit: caches and secrets, and nothing else."""

import dockerfile as oracle
import pytest

from fleet.dockerfile.buildkit import buildkit_profile, secret_arguments
from tests.dockerfile import images as i

FINAL = "\nFROM scratch\nCOPY --from=build /x /x\n"


def profiled(body):
    return buildkit_profile(f"FROM python:3.11 AS build\n{body}{FINAL}")


def mounts(text):
    """(type, target or id) of every mount, by BuildKit's own parser."""
    found = []
    for command in oracle.parse_string(text):
        for flag in command.flags:
            if flag.startswith("--mount="):
                parts = dict(part.partition("=")[::2] for part in flag.removeprefix("--mount=").split(","))
                found.append((parts["type"], parts.get("target", parts.get("id"))))
    return found


@pytest.mark.parametrize(
    ("command", "targets"),
    [
        ("pip install -r requirements.txt", ["/root/.cache/pip"]),
        ("python -m pip install --upgrade pip && /opt/venv/bin/pip install .", ["/root/.cache/pip"]),
        ("uv sync --locked", ["/root/.cache/uv"]),
        ("npm ci && npm run build", ["/root/.npm"]),
        ("yarn --frozen-lockfile", ["/usr/local/share/.cache/yarn"]),
        ("CGO_ENABLED=0 go build -o /app .", ["/root/.cache/go-build", "/go/pkg/mod"]),
        ("cargo build --release", ["/usr/local/cargo/registry"]),
        ("./mvnw -q package", ["/root/.m2/repository"]),
        ("dotnet publish -c Release", ["/root/.nuget/packages"]),
    ],
)
def test_what_a_build_downloads_is_kept(command, targets):
    text = profiled(f"RUN {command}\n")
    assert text.startswith("# syntax=docker/dockerfile:1\n")
    assert mounts(text) == [("cache", target) for target in targets]
    assert command in text


@pytest.mark.parametrize(
    "body",
    [
        "RUN pip install --no-cache-dir django\n",
        "RUN --mount=type=cache,target=/root/.cache pip install django\n",
        "USER app\nRUN pip install django\n",
        "RUN pipx list\n",
        "RUN make\n",
        "# RUN pip install django\n",
        "RUN <<EOF\npip install django\nEOF\n",
    ],
)
def test_nothing_is_added_where_it_would_be_of_no_use(body):
    assert profiled(body) == ""


def test_the_final_stage_stays_as_it_is():
    assert buildkit_profile("FROM python:3.11\nRUN pip install django\n") == ""


def test_a_syntax_line_of_the_teams_is_kept():
    text = buildkit_profile(f"# syntax=docker/dockerfile:1.7\nFROM python:3.11 AS build\nRUN pip install x\n{FINAL}")
    assert text.count("syntax=") == 1


def test_a_syntax_of_the_teams_may_be_too_old_for_secrets():
    body = f"ARG PIP_TOKEN\nRUN pip install x\n{FINAL}"
    text = buildkit_profile(f"# syntax=docker/dockerfile:1.4\nFROM python:3.11 AS build\n{body}")
    assert mounts(text) == [("cache", "/root/.cache/pip")]
    assert "ARG PIP_TOKEN" in text


def test_a_secret_argument_goes_in_as_a_secret():
    text = profiled(
        "ARG PIP_TOKEN\nARG VERSION\nRUN curl -H $PIP_TOKEN x\nRUN pip install -r r.txt\nRUN make $VERSION\n"
    )
    assert "ARG PIP_TOKEN" not in text
    assert "ARG VERSION" in text
    token = ("secret", "PIP_TOKEN")
    assert mounts(text) == [token, ("cache", "/root/.cache/pip"), token, token]


@pytest.mark.parametrize(
    "body", ["ARG TOKEN=public\nRUN pip install x\n", "ARG TOKEN\nENV T=$TOKEN\nRUN pip install x\n"]
)
def test_an_argument_that_is_used_otherwise_stays(body):
    text = profiled(body)
    assert ("secret", "TOKEN") not in mounts(text)
    assert "ARG TOKEN" in text


def test_a_rebuild_has_a_profile_that_says_the_same_to_every_parser():
    suggestion = i.rebuilt(i.service())
    assert mounts(suggestion.buildkit) == [("cache", "/root/.cache/pip")]
    assert "PIP_NO_CACHE_DIR" in suggestion.dockerfile
    assert "PIP_NO_CACHE_DIR" not in suggestion.buildkit
    plain = [
        (command.cmd, command.value) for command in oracle.parse_string(suggestion.dockerfile) if command.cmd != "ENV"
    ]
    cached = [
        (command.cmd, command.value) for command in oracle.parse_string(suggestion.buildkit) if command.cmd != "ENV"
    ]
    assert cached == plain
    assert i.repacked(i.service()).buildkit == ""


def test_the_reader_is_told_how_to_give_a_secret():
    dockerfile = i.TRADITIONAL.replace("RUN pip", "ARG INDEX_TOKEN\nRUN pip")
    suggestion = i.rebuilt(i.service(), dockerfile)
    assert secret_arguments(suggestion.dockerfile) == ("INDEX_TOKEN",)
    assert any("docker build --secret id=INDEX_TOKEN,env=INDEX_TOKEN" in note for note in suggestion.notes)
