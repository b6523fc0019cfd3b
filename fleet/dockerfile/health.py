"""Health checks without tools that were installed for them alone: ``curl`` and ``wget`` in the runtime's own language.

Only what is surely the same is rewritten: one request to the container itself, by options whose meaning is known. curl
without ``--fail`` is content with any answer, so the new check is too.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from fleet.dockerfile.command_line import simple_words
from fleet.oci.manifest import Healthcheck, ImageConfig

_OR_FAIL = re.compile(r"\s*\|\|\s*(?:exit\s+1|false)\s*;?\s*$")
_URL = re.compile(
    r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::\d{1,5})?(?:/[A-Za-z0-9._~/%+-]{0,200})?"
    r"(?:\?[A-Za-z0-9._~/%+=&-]{0,200})?"
)
_CURL_ALONE = frozenset(
    [
        "--fail",
        "--silent",
        "--show-error",
        "--location",
        "--head",
        "--insecure",
        "--no-progress-meter",
        "--fail-with-body",
    ]
)
_CURL_LETTERS = frozenset("fsSLIk")
_CURL_WITH_VALUE = frozenset(["--max-time", "-m", "--connect-timeout", "--retry", "--retry-delay", "-o", "--output"])
_WGET_ALONE = frozenset(
    ["-q", "--quiet", "--spider", "-nv", "--no-verbose", "-S", "-O-", "-qO-", "--no-check-certificate"]
)
_WGET_WITH_VALUE = frozenset(["-O", "--output-document", "-T", "--timeout", "-t", "--tries"])
OWN_CHECK = "The health check asks in the runtime's own language, since curl and wget do not come along."
# Where an answer may go: nowhere, or to the log of health checks.
_PLACES = frozenset({"/dev/null", "-"})


@dataclass(frozen=True, slots=True)
class _Request:
    """``strict`` says that an answer of 400 or above is a failure, ``follows`` that redirects are followed."""

    url: str
    strict: bool
    follows: bool


def without_tools(config: ImageConfig, runtime: str, program: str) -> ImageConfig:
    """The config with a health check that needs neither curl nor a shell, where it can be said so; else as it is.
    ``program`` is the runtime's own, as an absolute path."""
    check = config.healthcheck
    if check is None or len(check.test) < 2 or check.test[0] not in ("CMD", "CMD-SHELL"):
        return config
    words = _words(check)
    if words is None:
        return config
    request = _request(words)
    if request is not None and program and (code := _code(runtime, request)):
        words = (program, *code)
    elif check.test[0] == "CMD":
        return config
    return replace(config, healthcheck=replace(check, test=("CMD", *words)))


def in_own_language(config: ImageConfig, runtime: str, program: str) -> ImageConfig:
    """The same, where a shell stays: only a check by curl or wget changes."""
    changed = without_tools(config, runtime, program)
    test = changed.healthcheck.test if changed.healthcheck else ()
    return changed if test[1:2] == (program,) else config


def _words(check: Healthcheck) -> tuple[str, ...] | None:
    """The words of a check that needs no shell; ``|| exit 1`` says what any failure says anyway."""
    if check.test[0] == "CMD":
        is_form = len(check.test) == 4 and posixpath.basename(check.test[1]) in ("sh", "bash") and check.test[2] == "-c"
        if not is_form:
            return check.test[1:]
    script = _OR_FAIL.sub("", check.test[-1])
    if simple := simple_words(script):
        return simple
    try:
        words = tuple(shlex.split(script))
    except ValueError:
        return None
    # Quotes around a URL are all that a shell would take away.
    return words if _request(words) is not None and not re.search(r"[$`;|<(\\]", script) else None


def _request(words: Sequence[str]) -> _Request | None:
    tool = posixpath.basename(words[0]) if words else ""
    urls = [word for word in words[1:] if _URL.fullmatch(word)]
    if len(urls) != 1 or tool not in ("curl", "wget"):
        return None
    alone, with_value = (_CURL_ALONE, _CURL_WITH_VALUE) if tool == "curl" else (_WGET_ALONE, _WGET_WITH_VALUE)
    strict = follows = tool == "wget"
    rest = [word for word in words[1:] if word != urls[0]]
    while rest:
        option = rest.pop(0)
        name, equals, value = option.partition("=")
        letters = option[1:] if tool == "curl" and re.fullmatch(r"-[A-Za-z]+", option) else ""
        strict = strict or name in ("--fail", "--fail-with-body") or "f" in letters
        follows = follows or name == "--location" or "L" in letters
        if name in ("--insecure", "--no-check-certificate") or "k" in letters:
            return None
        if option in alone or (letters and _CURL_LETTERS.issuperset(letters)):
            continue
        if name not in with_value or not (value if equals else rest):
            return None
        value = value if equals else rest.pop(0)
        if name in ("-o", "--output", "-O", "--output-document") and value not in _PLACES:
            return None
    return _Request(urls[0].replace("//0.0.0.0", "//127.0.0.1"), strict, follows)


def _code(runtime: str, request: _Request) -> tuple[str, ...] | None:
    """What makes the request in a language, as the arguments of its program. The URL holds no quotes."""
    url, strict = request.url, request.strict
    parts = urlsplit(url)
    if runtime == "python" and strict and request.follows:
        return ("-c", f"import urllib.request; urllib.request.urlopen('{url}', timeout=10)")
    if runtime == "python" and not request.follows:
        kind = "HTTPSConnection" if parts.scheme == "https" else "HTTPConnection"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        passed = "c.getresponse().status >= 400" if strict else "not c.getresponse()"
        return (
            "-c",
            f"import http.client, sys; c = http.client.{kind}('{parts.netloc}', timeout=10); "
            f"c.request('GET', '{path}'); sys.exit({passed})",
        )
    if runtime == "node":
        # Some releases ask ::1 alone for localhost, where curl asks both.
        url = url.replace("//localhost", "//127.0.0.1")
        passed = "r.statusCode < 400 ? 0 : 1" if strict else "0"
        return (
            "-e",
            f"require('{parts.scheme}').get('{url}', r => process.exit({passed})).on('error', () => process.exit(1))",
        )
    if runtime == "ruby" and parts.scheme == "http":
        passed = ".code.to_i < 400" if strict else " && true"
        return ("-rnet/http", "-e", f"exit Net::HTTP.get_response(URI('{url}')){passed}")
    if runtime == "php" and strict and request.follows:
        return ("-r", f"exit(@file_get_contents('{url}') === false ? 1 : 0);")
    return None
