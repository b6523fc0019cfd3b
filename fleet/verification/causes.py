"""Why an image does not build or run, read from what it said: a word for machines and a sentence for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_NAME = r"[^\s'\":,()\[\]]{1,200}"


@dataclass(frozen=True, slots=True)
class Cause:
    """``code`` is one of a fixed few, ``subject`` the file or name that it is about, ``sentence`` says what to do."""

    code: str
    subject: str
    sentence: str


@dataclass(frozen=True, slots=True)
class _Sign:
    code: str
    pattern: re.Pattern[str]
    sentence: str


def _sign(code: str, pattern: str, sentence: str) -> _Sign:
    return _Sign(code, re.compile(pattern, re.IGNORECASE), sentence)


# The first that matches holds: what tells most comes first. ``{}`` is what the first group found.
_SIGNS = (
    _sign(
        "library-missing",
        rf"error while loading shared libraries: ({_NAME}): cannot open",
        "The shared library {} is missing from the image: keep it, or start from a base that has it.",
    ),
    _sign(
        "library-missing",
        rf"({_NAME}\.so(?:\.[\w.]{{1,40}})?): cannot open shared object file",
        "The shared library {} is missing from the image: keep it, or start from a base that has it.",
    ),
    _sign(
        "library-missing",
        rf"error loading shared library ({_NAME}):",
        "The shared library {} is missing from the image: keep it, or start from a base that has it.",
    ),
    _sign(
        "libc-too-old",
        r"version [`'](GLIBC(?:XX)?_[\d.]{1,20})' not found",
        "The program needs {}, which the base's C library is too old for: start from the release it was built on.",
    ),
    _sign(
        "exec-format",
        r"(exec format error)",
        "The program is not for this machine, or it is a script without an interpreter ({}).",
    ),
    _sign(
        "program-missing",
        r"exec: \"([^\"]{1,200})\": (?:stat [^:]{1,200}: no such file|executable file not found)",
        "What the image starts, {}, is not in it: keep the program, or start another.",
    ),
    _sign(
        "program-denied",
        r"exec: \"([^\"]{1,200})\": permission denied",
        "{} is in the image and may not be executed: keep its mode, or start it by its interpreter.",
    ),
    _sign(
        "interpreter-missing",
        rf"(?:exec user process caused|exec ({_NAME})): no such file or directory",
        "The loader or interpreter that the program names is not in the image: keep it, or take a base that has it.",
    ),
    _sign(
        "user-missing",
        rf"unable to find (?:user|group) ({_NAME}): no matching entries",
        "The user {} is not in the image's passwd or group file: keep them, or name the user by number.",
    ),
    _sign(
        "module-missing",
        rf"(?:ModuleNotFoundError|ImportError): No module named '?({_NAME})",
        "The Python module {} is missing: copy the directory that it was installed into.",
    ),
    _sign(
        "module-missing",
        rf"Cannot find (?:module|package) '({_NAME})'",
        "The Node.js module {} is missing: keep node_modules as the program expects it.",
    ),
    _sign(
        "module-missing",
        rf"(?:ClassNotFoundException|NoClassDefFoundError|could not find or load main class):? ({_NAME})",
        "The Java class {} is missing: keep all of the application's archives.",
    ),
    _sign(
        "module-missing",
        rf"cannot load such file -- ({_NAME})",
        "The Ruby file {} is missing: keep the gems where Bundler looks for them.",
    ),
    _sign(
        "certificates-missing",
        r"(certificate signed by unknown authority|unable to get local issuer certificate)",
        "The image holds no CA certificates: keep /etc/ssl/certs ({}).",
    ),
    _sign(
        "time-zones-missing",
        r"unknown time zone ([\w/+-]{1,60})",
        "The time zone {} is not known in the image: keep /usr/share/zoneinfo.",
    ),
    _sign(
        "needs-buildkit",
        r"(the --\w+ option requires BuildKit|unknown flag: (?:mount|link|chmod|checksum))",
        "The Dockerfile needs BuildKit, which this engine's builder is not ({}).",
    ),
    _sign(
        "base-unavailable",
        r"(pull access denied|manifest unknown|repository does not exist|no such image|failed to resolve reference)",
        "An image that the Dockerfile starts from cannot be had by the engine ({}).",
    ),
    _sign(
        "network",
        r"(temporary failure (?:in name resolution|resolving)|name or service not known|could not translate host name"
        r"|no address associated with hostname|bad address|could not resolve|no such host|\bENOTFOUND\b|\bEAI_AGAIN\b"
        r"|\bECONNREFUSED\b|connection refused|network is unreachable|unknownhostexception|unknown host)",
        "It looks for something over the network, which it does not get while it is verified ({}).",
    ),
    _sign(
        "read-only",
        r"(read-only file system)",
        "It writes where nothing can be written ({}).",
    ),
    _sign(
        "permission-denied",
        rf"permission denied:? '?(/{_NAME})|(?:open|mkdir|stat|exec|access) (/{_NAME}): permission denied"
        rf"|(/{_NAME}): permission denied",
        "The image's user may not use {}: give the file to that user when it is copied.",
    ),
    _sign(
        "not-permitted",
        r"(operation not permitted|permission denied)",
        "It does what needs a capability or another user ({}).",
    ),
    _sign(
        "file-missing",
        rf"no such file or directory: '?({_NAME})|(?:open|stat|lstat|chdir|can't open file|cannot access|could not open"
        rf"|cannot open) [`'\"]?({_NAME}?)['\"]?:? (?:no such file|\[Errno 2\])|({_NAME}): no such file or directory",
        "The file {} is missing from the image: keep it.",
    ),
    _sign(
        "file-missing",
        rf"(?:COPY|ADD) failed: (?:stat |file not found in build context.{{0,80}}stat )({_NAME}): file does not exist",
        "The Dockerfile copies {}, which is not where it looks for it.",
    ),
    _sign(
        "no-space",
        r"(no space left on device)",
        "The engine's disk is full ({}).",
    ),
)  # fmt: skip
OUTSIDE = frozenset({"network", "base-unavailable", "needs-buildkit", "no-space", "time-limit"})
"""Causes that say nothing of the Dockerfile: with them nothing is proven."""

OUT_OF_MEMORY = Cause("out-of-memory", "", "It took more memory than a verification allows, and was ended.")


def find_cause(lines: Iterable[str]) -> Cause | None:
    """What the lines give as the reason; None where they give none that is known."""
    read = list(_bounded(lines))
    for sign in _SIGNS:
        for line in read:
            if match := sign.pattern.search(line):
                subject = next((group for group in match.groups() if group), "")
                return Cause(sign.code, subject, sign.sentence.format(subject).replace(" ()", ""))
    return None


def _bounded(lines: Iterable[str]) -> Iterator[str]:
    for line, _ in zip(lines, range(200), strict=False):
        yield line[:2_000]
