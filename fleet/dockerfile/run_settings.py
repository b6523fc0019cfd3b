"""How an image is run, as the instructions that end a final stage.

Spec: https://github.com/opencontainers/image-spec/blob/main/config.md#properties
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from fleet.dockerfile.quoting import Unwritable, check, duration, exec_form, expanded_array, word
from fleet.oci.manifest import Healthcheck, ImageConfig

# They describe the base's interpreter and are set by the base itself.
_OF_THE_BASE_WORDS = (
    "GPG_KEY PYTHON_VERSION PYTHON_SHA256 PYTHON_PIP_VERSION PYTHON_SETUPTOOLS_VERSION PYTHON_WHEEL_VERSION "
    "PYTHON_GET_PIP_URL PYTHON_GET_PIP_SHA256 NODE_VERSION YARN_VERSION RUBY_VERSION RUBY_DOWNLOAD_URL "
    "RUBY_DOWNLOAD_SHA256 PHP_VERSION PHP_URL PHP_ASC_URL PHP_SHA256 JAVA_VERSION DOTNET_VERSION ASPNET_VERSION "
    "NGINX_VERSION NJS_VERSION NJS_RELEASE PKG_RELEASE DYNPKG_RELEASE"
)
_OF_THE_BASE = frozenset(_OF_THE_BASE_WORDS.split())
# What every official Python image sets.
_BASE_DEFAULTS = ("PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8")
ROOT_USERS = frozenset({"", "0", "root", "0:0", "root:root", "root:0", "0:root"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PORT = re.compile(r"\d{1,5}(?:-\d{1,5})?(?:/(?:tcp|udp|sctp))?")
SECRET = re.compile(r"(?i)passw|secret|token|api_?key|private_?key|credential")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Instruction lines, and a sentence for each setting that a Dockerfile cannot express."""

    lines: tuple[str, ...]
    lost: tuple[str, ...]


def run_settings(config: ImageConfig, base: ImageConfig | None, *, without: Collection[str] = ()) -> RunSettings:
    """Everything that differs from what the base sets, less the variables and labels whose names are ``without``."""
    lines: list[str] = []
    lost: list[str] = []
    inherited = base or ImageConfig(config.platform, env=_BASE_DEFAULTS)
    for part in (partial(_environment, is_known=base is not None), _labels, _place, _command):
        for name, write in part(config, inherited):
            try:
                lines += [] if name and name in without else [write()]
            except Unwritable as error:
                lost.append(str(error))
    return RunSettings(tuple(lines), tuple(lost))


def secret_variables(config: ImageConfig) -> tuple[str, ...]:
    """Names of variables that look as if they held a secret."""
    return tuple(item.partition("=")[0] for item in config.env if SECRET.search(item.partition("=")[0]))


_Writers = Iterator[tuple[str, Callable[[], str]]]


def _environment(config: ImageConfig, base: ImageConfig, *, is_known: bool) -> _Writers:
    for item in config.env:
        name, _, value = item.partition("=")
        if base.variable(name) == value or config.variable(name) != value:
            continue
        # A base that brings the runtime says itself which one it has.
        if not (name in _OF_THE_BASE and (not is_known or base.variable(name) is not None)):
            yield name, partial(_variable, name, value)


def _variable(name: str, value: str) -> str:
    if not _NAME.fullmatch(name):
        raise Unwritable("An environment variable has a name that no Dockerfile can set.")
    check(value, f"The environment variable {name}")
    return f"ENV {name}={word(value)}"


def _labels(config: ImageConfig, base: ImageConfig) -> _Writers:
    for name, value in config.labels.items():
        if base.labels.get(name) != value:
            yield name, partial(_label, name, value)


def _label(name: str, value: str) -> str:
    return f"LABEL {word(check(name, 'A label'))}={word(check(value, 'A label'))}"


def _place(config: ImageConfig, base: ImageConfig) -> _Writers:
    if (config.working_dir or "/") != (base.working_dir or "/"):
        yield "", lambda: f"WORKDIR {word(config.working_dir or '/')}"
    if config.volumes:
        yield "", lambda: f"VOLUME {expanded_array(config.volumes)}"
    for port in config.exposed_ports:
        yield "", partial(_port, port)
    if config.stop_signal:
        yield "", lambda: f"STOPSIGNAL {word(config.stop_signal)}"
    if config.user not in ROOT_USERS or base.user not in ROOT_USERS:
        yield "", lambda: f"USER {word(config.user or '0')}"


def _port(port: str) -> str:
    if not _PORT.fullmatch(port):
        raise Unwritable("An exposed port is no port number, so it is left out.")
    return f"EXPOSE {port.removesuffix('/tcp')}"


def _command(config: ImageConfig, base: ImageConfig) -> _Writers:
    if config.healthcheck and config.healthcheck.test:
        yield "", lambda: health_check(config.healthcheck, config.shell)
    elif base.healthcheck and base.healthcheck.test:
        yield "", lambda: "HEALTHCHECK NONE"
    if config.entrypoint or base.entrypoint:
        yield "", lambda: f"ENTRYPOINT {exec_form(config.entrypoint or ())}"
    yield "", lambda: f"CMD {exec_form(config.cmd or ())}"


def health_check(check: Healthcheck | None, shell: Sequence[str] | None = None) -> str:
    """The instruction that sets a health check; its shell form becomes the same in exec form, which has one reading."""
    if check is None or not check.test or check.test[0] == "NONE":
        return "HEALTHCHECK NONE"
    times = (
        ("interval", check.interval_ns),
        ("timeout", check.timeout_ns),
        ("start-period", check.start_period_ns),
    )
    flags = [f"--{name}={duration(value)}" for name, value in times if value > 0]
    flags += [f"--retries={check.retries}"] if check.retries > 0 else []
    words = (*(shell or ("/bin/sh", "-c")), *check.test[1:]) if check.test[0] == "CMD-SHELL" else check.test[1:]
    return " ".join(["HEALTHCHECK", *flags, "CMD", exec_form(words)])
