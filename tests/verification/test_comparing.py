"""Two behaviours beside each other: what is a difference, and what is only another run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.verification.behaviour import Answer, Behaviour, Hidden, parse_answer
from fleet.verification.comparing import compare, why_not
from fleet.verification.probing import Probe
from fleet.verification.volatile import steady

HTTP, RUN = Probe("http", port=8000), Probe("run")
PAGE = Answer(200, "text/html", "", ("<h1>Shop</h1>",))
SERVES = Behaviour(running=True, port_open=True, answer=PAGE, stdout=("listening",), user="app")
ENDS = Behaviour(exit_code=0, stdout=("5 rows",))

SAME = [
    ("2026-11-25T21:31:44.123Z started", "2024-01-02T03:04:05Z started"),
    ("[25/Nov/2026 21:31:44] GET /", "[02/Jan/2024 03:04:05] GET /"),
    ("Wed, 25 Nov 2026 21:31:44 GMT", "Tue, 02 Jan 2024 03:04:05 GMT"),
    ("November 25, 2026 - 21:31:44", "January 2, 2024 - 03:04:05"),
    ("Wed Nov 25 21:31:44 UTC 2026", "Tue Jan  2 03:04:05 UTC 2024"),
    ("Listening at: http://0.0.0.0:8000 (1)", "Listening at: http://127.0.0.1:9000 (17)"),
    ("[7] [INFO] Booting worker with pid: 7", "[12] [INFO] Booting worker with pid: 12"),
    ("container 3f2a9c1b7d4e ready", "container 0011ab22cd33 ready"),
    ("id 8b1c2f4e-0a1b-4c2d-9e3f-1234567890ab", "id 00000000-aaaa-4c2d-9e3f-abcdefabcdef"),
    ("object at 0x7f95edc0afd0", "object at 0x7fea59e0ced0"),
    ("ready in 12.5 ms", "ready in 9 ms"),
    ("took 1.02s", "took 13s"),
    ('<input value="dGhpcyBpcyBhIHRva2VuIDEyMw==">', '<input value="YW5vdGhlciB0b2tlbiA0NTY3ODk=">'),
    ("\\x1b[32mok\\x1b[0m", "ok"),
]
OTHER = [
    ("Python 3.11.7", "Python 3.12.1"),
    ("5 rows", "6 rows"),
    ("hello", "hello world"),
    ("v1.2.3", "v1.2.4"),
    ("ok", ""),
    ("listening", "failed to listen"),
    ("/usr/bin/python3.11", "/usr/bin/python3.13"),
]


@pytest.mark.parametrize(("one", "two"), SAME)
def test_what_changes_with_every_run_makes_no_difference(one: str, two: str) -> None:
    assert steady(one) == steady(two)
    assert compare(replace(ENDS, stdout=(one,)), replace(ENDS, stdout=(two,)), RUN).verdict == "verified"


@pytest.mark.parametrize(("one", "two"), OTHER)
def test_what_says_something_else_does(one: str, two: str) -> None:
    comparison = compare(replace(ENDS, stdout=(one,)), replace(ENDS, stdout=(two,)), RUN)
    assert (comparison.verdict, comparison.cause, comparison.only_output) == ("failed", "output-differs", True)


def test_a_line_that_the_original_itself_changes_is_no_difference() -> None:
    one, two, again = (replace(ENDS, stdout=(f"lucky number {number}",)) for number in (7, 8, 9))
    assert compare(one, two, RUN).only_output
    assert compare(one, two, RUN, again).verdict == "verified"
    assert compare(one, two, RUN, one).verdict == "failed"


def test_steady_takes_no_time_for_hostile_lines() -> None:
    for line in ("a" * 300, "1" * 300, "a1" * 150, "0x" * 150, ":" * 300, "- " * 150, "1." * 150, "\\x1b[" * 60):
        steady(line)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"answer": replace(PAGE, status=500)}, "status 500, where the original answers 200"),
        ({"answer": replace(PAGE, content_type="text/plain")}, "text/plain, where the original's is text/html"),
        ({"answer": replace(PAGE, location="/login")}, "redirects to /login"),
        ({"answer": None}, "does not speak HTTP on port 8000"),
        ({"answer": None, "port_open": False}, "Nothing listens on port 8000"),
        ({"running": False, "exit_code": 1}, "ends with exit code 1, where the original keeps running"),
        ({"running": False, "exit_code": 139}, "is ended by signal 11"),
        ({"running": False, "exit_code": 137, "out_of_memory": True}, "ran out of memory"),
        ({"user": ""}, "runs as root, where the original runs as app"),
        ({"user": "0:0"}, "runs as root"),
        ({"refusal": "exec: \"/bin/sh\": stat /bin/sh: no such file or directory"}, "does not start: exec"),
    ],
)  # fmt: skip
def test_each_difference_fails_with_its_sentence(change: dict[str, object], sentence: str) -> None:
    comparison = compare(SERVES, replace(SERVES, **change), HTTP)  # type: ignore[arg-type]
    assert comparison.verdict == "failed"
    assert sentence in comparison.reasons[0]
    assert not comparison.only_output
    assert comparison.cause


def test_a_servers_log_may_say_what_it_likes() -> None:
    assert compare(SERVES, replace(SERVES, stdout=("other words",), stderr=("more",)), HTTP).verdict == "verified"


def test_the_network_is_no_excuse_where_the_original_does_without() -> None:
    broken = replace(SERVES, running=False, exit_code=1, stderr=("could not resolve host db",))
    assert compare(SERVES, broken, HTTP).cause == "behaves-otherwise"


def test_an_original_that_fails_itself_proves_nothing() -> None:
    said = ('could not translate host name "db"',)
    down = replace(SERVES, running=False, exit_code=1, answer=None, stderr=said)
    comparison = why_not(down, HTTP)
    assert (comparison.verdict, comparison.cause) == ("inconclusive", "original-network")
    assert "over the network" in comparison.reasons[1]
    answers = replace(SERVES, answer=replace(PAGE, status=503))
    assert "answers / with status 503" in why_not(answers, HTTP).reasons[0]


def test_an_answer_is_read_as_it_came() -> None:
    hidden = Hidden.of({"SECRET": "open sesame"})
    plain = b"HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8\r\n\r\n<p>open sesame</p>\n\nnext\x1b[2J\n"
    assert parse_answer(plain, hidden) == Answer(200, "text/html", "", ("<p>…</p>", "next\\x1b[2J"))
    chunked = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        b"4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n"
    )  # fmt: skip
    assert parse_answer(chunked, hidden) == Answer(200, "application/json", "", ('{"a":1}',))
    binary = b"HTTP/1.0 200 OK\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n"
    assert parse_answer(binary, hidden) == Answer(200, "image/png")
    for content in (b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 20x\r\n\r\n", b"HTTP/2 200\r\n\r\n", b"\x15\x03\x01"):
        assert parse_answer(content, hidden) is None
