"""Why something does not run, read from what real loaders, interpreters, engines and builders say."""

from __future__ import annotations

import pytest

from fleet.verification.causes import OUTSIDE, find_cause

SAID = [
    (
        "/app: error while loading shared libraries: libpq.so.5: cannot open shared object file: No such file",
        "library-missing",
        "libpq.so.5",
    ),
    (
        "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
        "library-missing",
        "libGL.so.1",
    ),
    (
        "Error loading shared library libssl.so.3: No such file or directory (needed by /app)",
        "library-missing",
        "libssl.so.3",
    ),
    (
        "/srv: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by /srv)",
        "libc-too-old",
        "GLIBC_2.38",
    ),
    ("/srv: libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by /srv)", "libc-too-old", "GLIBCXX_3.4.32"),
    ("exec /entrypoint.sh: exec format error", "exec-format", "exec format error"),
    ('exec: "/bin/sh": stat /bin/sh: no such file or directory', "program-missing", "/bin/sh"),
    ('exec: "gunicorn": executable file not found in $PATH', "program-missing", "gunicorn"),
    ('exec: "/app/run": permission denied', "program-denied", "/app/run"),
    ("exec /app/server: no such file or directory", "interpreter-missing", "/app/server"),
    ("standard_init_linux.go:228: exec user process caused: no such file or directory", "interpreter-missing", ""),
    ("unable to find user app: no matching entries in passwd file", "user-missing", "app"),
    ("ModuleNotFoundError: No module named 'django'", "module-missing", "django"),
    ("Error: Cannot find module 'express'", "module-missing", "express"),
    (
        'Exception in thread "main" java.lang.NoClassDefFoundError: org/slf4j/Logger',
        "module-missing",
        "org/slf4j/Logger",
    ),
    ("cannot load such file -- bundler/setup (LoadError)", "module-missing", "bundler/setup"),
    (
        "x509: certificate signed by unknown authority",
        "certificates-missing",
        "certificate signed by unknown authority",
    ),
    ("panic: unknown time zone Europe/Berlin", "time-zones-missing", "Europe/Berlin"),
    (
        'could not translate host name "db" to address: Name or service not known',
        "network",
        "could not translate host name",
    ),
    ("Error: getaddrinfo ENOTFOUND db", "network", "ENOTFOUND"),
    ("dial tcp: lookup db: no such host", "network", "no such host"),
    ("nc: bad address 'db'", "network", "bad address"),
    ("OSError: [Errno 30] Read-only file system: '/data'", "read-only", "Read-only file system"),
    ("PermissionError: [Errno 13] Permission denied: '/data/x'", "permission-denied", "/data/x"),
    (
        "nginx: [emerg] open() failed: setgid(101) failed (1: Operation not permitted)",
        "not-permitted",
        "Operation not permitted",
    ),
    (
        "python3: can't open file '/app/manage.py': [Errno 2] No such file or directory",
        "file-missing",
        "/app/manage.py",
    ),
    ("FileNotFoundError: [Errno 2] No such file or directory: '/etc/app.conf'", "file-missing", "/etc/app.conf"),
    ("open /etc/app.yml: no such file or directory", "file-missing", "/etc/app.yml"),
    ("COPY failed: stat requirements.txt: file does not exist", "file-missing", "requirements.txt"),
    (
        "COPY failed: file not found in build context or excluded by .dockerignore: stat app: file does not exist",
        "file-missing",
        "app",
    ),
    (
        "the --mount option requires BuildKit. Refer to https://docs.docker.com",
        "needs-buildkit",
        "the --mount option requires BuildKit",
    ),
    ("pull access denied for shop/web, repository does not exist", "base-unavailable", "pull access denied"),
    ("write /usr/lib/x: no space left on device", "no-space", "no space left on device"),
]


@pytest.mark.parametrize(("line", "code", "subject"), SAID)
def test_the_cause_and_what_it_is_about_are_found(line: str, code: str, subject: str) -> None:
    cause = find_cause(["something before", line, "something after"])
    assert cause
    assert (cause.code, cause.subject) == (code, subject)
    assert cause.sentence.endswith(".")
    assert "{" not in cause.sentence


@pytest.mark.parametrize("line", ["listening on port 80", "", "Error: it does not work", "FileNotFoundError"])
def test_nothing_is_made_up(line: str) -> None:
    assert find_cause([line]) is None


def test_what_tells_most_comes_first_and_long_lines_take_no_time() -> None:
    library = "x: error while loading shared libraries: libz.so.1: cannot open shared object file"
    cause = find_cause(["connection refused", "permission denied", library])
    assert cause
    assert cause.code == "library-missing"
    assert find_cause(["a/" * 200_000, "open " * 100_000, "'" * 100_000, ": " * 100_000]) is None


def test_causes_from_outside_say_nothing_of_the_dockerfile() -> None:
    assert {"network", "base-unavailable", "needs-buildkit"} <= OUTSIDE
    assert not {"library-missing", "file-missing", "program-missing"} & OUTSIDE
