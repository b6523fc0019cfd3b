"""Faults that a Dockerfile's text proves, and the benefit of the doubt where it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.dockerfile.faults import find_faults
from fleet.dockerfile.parse import InvalidDockerfile, parse_dockerfile
from tests.dockerfile.corpus import CORPUS, LINES

TRADITIONAL = """\
FROM python:3.9
WORKDIR /app/backend
COPY requirements.txt /app/backend
RUN pip install -r requirements.txt
COPY . /app/backend
EXPOSE 8000
CMD python /app/backend/manage.py runserver 0.0.0.0:8000
"""
TWO_STAGES = """\
FROM python:3.9 AS build
WORKDIR /app/backend
COPY requirements.txt /app/backend
RUN pip install -r requirements.txt
COPY . /app/backend

FROM {base}
COPY --from=build {copied} {copied}
CMD {command}
"""
SHELL_FORM = "python /app/backend/manage.py runserver"
ARRAY = '["python", "/app/backend/manage.py", "runserver"]'


def faults(text):
    return [(fault.kind, fault.line) for fault in find_faults(parse_dockerfile(text))]


def two_stages(base="python:3.9-slim", copied="/app/backend", command=SHELL_FORM):
    return faults(TWO_STAGES.format(base=base, copied=copied, command=command))


def test_the_traditional_file_runs():
    assert faults(TRADITIONAL) == []


def test_dependencies_that_stay_in_the_build_stage():
    assert two_stages() == [("dependencies not copied", 4)]
    (fault,) = find_faults(
        parse_dockerfile(TWO_STAGES.format(base="python:3.9-slim", copied="/app/backend", command=SHELL_FORM))
    )
    assert fault.sentence == (
        "Line 4: what pip installs stays in the stage build: the dependencies are not copied to the final stage, which "
        "takes /app/backend alone. Install into a directory of their own and copy that too."
    )


def test_a_shell_form_and_an_interpreter_on_scratch():
    assert two_stages("scratch") == [("dependencies not copied", 4), ("no shell", 9), ("no interpreter", 9)]
    found = find_faults(parse_dockerfile(TWO_STAGES.format(base="scratch", copied="/app", command=SHELL_FORM)))
    assert [fault.sentence for fault in found[1:]] == [
        "Line 9: CMD is in shell form, which /bin/sh runs, and scratch is empty. Write it as an array: CMD "
        '["program", "argument"].',
        "Line 9: CMD starts python, scratch is empty and nothing that is copied brings an interpreter. Start the stage "
        "from a base that has python.",
    ]


def test_an_array_needs_no_shell_and_still_its_interpreter():
    assert two_stages("scratch", command=ARRAY) == [("dependencies not copied", 4), ("no interpreter", 9)]


@pytest.mark.parametrize(
    "copied", ["/", "/usr/local", "/usr/local/lib", "/usr/local/lib/python3.9/site-packages", "/usr/l*"]
)
def test_what_may_hold_the_dependencies_is_trusted(copied):
    assert two_stages(copied=copied, command=ARRAY) == []


@pytest.mark.parametrize("base", ["registry.example.org/team/base:1", "$BASE", "somebody/python-with-django"])
def test_a_base_of_ones_own_may_hold_them(base):
    assert two_stages(base) == []


def test_a_base_by_argument_is_followed():
    assert faults("ARG B=scratch\nFROM $B\nCMD python x\n") == [("no shell", 3), ("no interpreter", 3)]
    assert faults("ARG B\nFROM $B\nCMD python x\n") == []


@pytest.mark.parametrize(
    "install",
    [
        "pip install --target=/app/backend/lib -r requirements.txt",
        "pip install --user -r requirements.txt",
        "python -m venv v && v/bin/pip install -r requirements.txt",
        "make install",
        "pip install build && python -m build -r x",
    ],
)
def test_packages_that_go_elsewhere_are_not_missed(install):
    text = TWO_STAGES.replace("pip install -r requirements.txt", install)
    assert faults(text.format(base="python:3.9-slim", copied="/app/backend", command=ARRAY)) == []


def test_a_final_stage_that_installs_again_is_trusted():
    text = TWO_STAGES.replace("FROM {base}\n", "FROM python:3.9-slim\nRUN pip install django\n")
    assert faults(text.format(copied="/app/backend", command=ARRAY)) == []


def test_gems_are_dependencies_too():
    text = "FROM ruby:3 AS b\nRUN bundle install\nFROM ruby:3-slim\nCOPY --from=b /app /app\nCMD [{}]\n"
    assert faults(text.format('"bundle", "exec", "puma"')) == [("dependencies not copied", 2)]
    assert faults(text.format('"/app/server"')) == []


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("gcr.io/distroless/static", [("no shell", 2)]),
        ("gcr.io/distroless/python3-debian12:nonroot", [("no shell", 2)]),
        ("gcr.io/distroless/base@sha256:" + "0" * 64, [("no shell", 2)]),
        ("gcr.io/distroless/base:debug", []),
        ("gcr.io/distroless/python3:debug-nonroot", []),
        ("cgr.dev/chainguard/python:latest", [("no shell", 2)]),
        ("cgr.dev/chainguard/python:latest-dev", []),
        ("alpine", []),
        ("registry.example.org/distroless/static", []),
    ],
)
def test_bases_without_a_shell(base, expected):
    assert faults(f"FROM {base}\nCMD app --serve\n") == expected


def test_commands_of_the_build_and_health_checks_need_a_shell_too():
    text = 'FROM scratch\nRUN mkdir /x\nHEALTHCHECK --interval=5s CMD app --check\nENTRYPOINT ["/app"]\n'
    assert faults(text) == [("no shell", 2), ("no shell", 3)]
    assert faults('FROM scratch\nHEALTHCHECK CMD ["/app", "--check"]\nCMD ["/app"]\n') == []
    assert faults('FROM scratch\nHEALTHCHECK NONE\nCMD ["/app"]\n') == []


@pytest.mark.parametrize(
    "brought",
    [
        "COPY --from=busybox /bin/sh /bin/sh",
        "COPY --from=busybox /bin /bin",
        "COPY rootfs /",
        "COPY rootfs $ROOT",
        "ADD rootfs.tar.gz /srv",
        "WORKDIR /bin\nCOPY busybox .",
        'SHELL ["/own", "-c"]',
    ],
)
def test_a_shell_that_may_have_been_brought_is_trusted(brought):
    assert faults(f"FROM scratch\n{brought}\nCMD app\n") == []


def test_arguments_of_an_entry_point_need_no_shell():
    assert faults('FROM scratch\nENTRYPOINT ["/app"]\nCMD serve\n') == []


def test_the_last_command_counts_and_stages_below_are_seen():
    assert faults('FROM scratch AS base\nCMD app\nFROM base\nCMD ["/app"]\n') == []
    assert faults("FROM scratch AS base\nCOPY a /app\nFROM base\nCMD app\n") == [("no shell", 4)]
    assert faults("FROM alpine AS base\nFROM base\nCMD app\n") == []
    assert faults("FROM scratch AS scratch\nCMD app\n") == [("no shell", 2)]


def test_an_interpreter_by_its_path():
    text = 'FROM scratch\nCOPY x /opt/python\nCMD ["{}", "x.py"]\n'
    assert faults(text.format("/opt/python/bin/python3")) == []
    assert faults(text.format("/usr/bin/python3")) == [("no interpreter", 3)]
    assert faults(text.format("./server")) == []


@given(st.lists(st.sampled_from(LINES), max_size=15))
def test_whatever_can_be_read_can_be_judged(lines):
    text = "FROM scratch\n" + "\n".join(lines)
    try:
        dockerfile = parse_dockerfile(text)
    except InvalidDockerfile:
        return
    for fault in find_faults(dockerfile):
        assert 1 <= fault.line <= len(text.splitlines())
        assert fault.sentence.startswith(f"Line {fault.line}: ")


@pytest.mark.parametrize("name", CORPUS)
def test_files_that_run_are_left_alone(name):
    assert faults(CORPUS[name]) == []
