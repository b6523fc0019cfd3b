"""A Dockerfile built by the engine's own builder, which every engine has, with limits and a log.

API: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image/operation/ImageBuild
"""

from __future__ import annotations

import base64
import json
import queue
import threading
from collections.abc import Iterator, Mapping
from typing import IO, Any

from docker import DockerClient
from requests import Response
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from fleet.dockerfile.parse import Instruction, parse_dockerfile
from fleet.oci.credentials import Credentials
from fleet.oci.errors import RegistryError
from fleet.oci.reference import DOCKER_HUB
from fleet.oci.wording import shown
from fleet.verification.cleanup import Mark, remove_containers
from fleet.verification.engine import Engine, Refused
from fleet.verification.watch import Deadline, Log, TimeOver, Watch

FILE = ".plimsoll-verification.Dockerfile"
_CONNECT_SECONDS = 15.0
_BEAT_SECONDS = 0.25
_CPU_PERIOD = 100_000
_END_SECONDS = 30.0
_HUB_SERVER = f"https://index.{DOCKER_HUB}/v1/"
_Event = dict[str, Any]


class BuildFailed(Exception):
    """The builder gave up; the message is what it said last, fit to show."""


def labelled(dockerfile: str, mark: Mark) -> str:
    """The Dockerfile with the mark in every stage, so that what a build leaves behind is found by it: the API labels
    the last stage alone. A label adds no file. Raises InvalidDockerfile."""
    words = " ".join(f'{name}="{value}"' for name, value in mark.labels.items())
    parsed = parse_dockerfile(dockerfile)
    text = "".join(part.text for part in parsed.head)
    for stage in parsed.stages:
        for part in stage.parts:
            text += part.text
            if isinstance(part, Instruction) and part.name == "FROM":
                text += ("" if text.endswith("\n") else "\n") + f"LABEL {words}\n"
    return text


def build(
    engine: Engine,
    mark: Mark,
    context: IO[bytes],
    *,
    name: str,
    platform: str,
    logins: Mapping[str, Credentials],
    deadline: Deadline,
    log: Log,
    watch: Watch,
) -> str:
    """The ID of the image that ``FILE`` within the context makes. Raises BuildFailed, TimeOver or RegistryError."""
    within = deadline.within(engine.limits.build_seconds)
    events: queue.SimpleQueue[_Event | Exception | None] = queue.SimpleQueue()
    response = _start(engine, context, name=name, platform=platform, logins=logins, within=within)
    reader = threading.Thread(target=_read, args=(response, events), name="build-log", daemon=True)
    reader.start()
    try:
        for event in _events(events, within, watch):
            if isinstance(event, Exception):
                raise engine.failure(event) from event
            _tell(event, log)
    finally:
        _end(engine, mark, reader)
        response.close()
    return str(engine.ask(lambda client: client.api.inspect_image(name))["Id"])


def _end(engine: Engine, mark: Mark, reader: threading.Thread) -> None:
    """Wait until the builder is done, and make it so: it may be in the midst of a step, whose container is removed
    under it. It notices that at once, and that nobody listens any more only when it has made another image."""
    until = Deadline(_END_SECONDS)
    while reader.is_alive() and not until.is_over:
        remove_containers(engine, mark)
        reader.join(_BEAT_SECONDS)


def _start(
    engine: Engine,
    context: IO[bytes],
    *,
    name: str,
    platform: str,
    logins: Mapping[str, Credentials],
    within: Deadline,
) -> Response:
    limits = engine.limits
    settings: dict[str, Any] = {
        "t": name,
        "dockerfile": FILE,
        "nocache": 1,
        "rm": 1,
        "forcerm": 1,
        "memory": limits.memory_bytes,
        "memswap": limits.memory_bytes,
        "cpuperiod": _CPU_PERIOD,
        "cpuquota": max(1_000, int(limits.cpus * _CPU_PERIOD)),
        "networkmode": engine.settings.build_network or None,
        "platform": platform or None,
    }
    headers = {"Content-Type": "application/tar"}
    if logins:
        headers["X-Registry-Config"] = base64.urlsafe_b64encode(
            json.dumps({server(host): login_as_json(login) for host, login in logins.items()}).encode()
        ).decode()

    def post(client: DockerClient) -> Response:
        api = client.api
        url = f"{api.base_url}/v{api.api_version}/build"
        timeout = (_CONNECT_SECONDS, within.left + _END_SECONDS)
        answer: Response = api.post(
            url, data=context, params=settings, headers=headers, stream=True, timeout=timeout, allow_redirects=False
        )
        return answer

    response = engine.ask(post)
    if response.status_code != 200:
        said = _message(response)
        response.close()
        if 400 <= response.status_code < 500:
            raise BuildFailed(said)
        raise Refused(f"The Docker Engine would not build: {said}. Look at its log.", said, response.status_code)
    return response


def server(host: str) -> str:
    """A registry as engines know its login."""
    return _HUB_SERVER if host == DOCKER_HUB else host


def login_as_json(login: Credentials) -> dict[str, str]:
    if login.identity_token:
        return {"identitytoken": login.identity_token}
    return {"username": login.username, "password": login.password}


def _message(response: Response) -> str:
    try:
        return shown(str(response.json()["message"]), 500)
    except (ValueError, KeyError, TypeError, RequestException):
        return f"it answered with status {response.status_code}"


def _read(response: Response, events: queue.SimpleQueue[_Event | Exception | None]) -> None:
    """In a thread of its own: a builder may be silent for as long as a step takes."""
    try:
        for line in response.iter_lines(chunk_size=4_096):
            if line.strip():
                event = json.loads(line)
                events.put(event if isinstance(event, dict) else {})
    except (RequestException, HTTPError, ValueError, OSError, AttributeError) as error:
        events.put(error)
    events.put(None)


def _events(
    events: queue.SimpleQueue[_Event | Exception | None], within: Deadline, watch: Watch
) -> Iterator[_Event | Exception]:
    while not within.is_over:
        watch.beat()
        try:
            event = events.get(timeout=min(_BEAT_SECONDS, within.left or 0.001))
        except queue.Empty:
            continue
        if event is None:
            return
        yield event
    raise TimeOver(f"The build was not done within {within.seconds:.0f} seconds")


def _tell(event: _Event, log: Log) -> None:
    if "stream" in event:
        log.add(str(event["stream"]))
    elif "error" in event:
        log.add(str(event["error"]))
        raise BuildFailed(log.last_lines[-1] if log.last_lines else "The builder said nothing")
    elif "status" in event and not event.get("progressDetail"):
        log.add(f"{event.get('id', '')} {event['status']}".strip())


def pull(engine: Engine, reference: str, login: Credentials | None, deadline: Deadline, watch: Watch) -> None:
    """Have the engine fetch an image by ``name@digest`` or ``name:tag``. Raises RegistryError, TimeOver."""
    name, separator, version = reference.partition("@")
    if not separator:
        name, separator, version = reference.rpartition(":")
        if not separator or "/" in version:
            name, version = reference, "latest"
    auth = login_as_json(login) if login else {}

    def fetch(client: DockerClient) -> None:
        for event in client.api.pull(name, version, stream=True, decode=True, auth_config=auth or {"username": ""}):
            watch.beat()
            if "error" in event:
                raise RegistryError(shown(str(event["error"]), 300).rstrip("."))
            if deadline.is_over:
                raise TimeOver(f"{shown(name)} was not pulled within {deadline.seconds:.0f} seconds")

    engine.ask(fetch)
