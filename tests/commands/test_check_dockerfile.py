import json
from io import BytesIO, StringIO, TextIOWrapper

import pytest
from django.core.management import call_command

GOOD = 'FROM alpine\nCMD ["app"]\n'
FAULTY = "FROM scratch\nCOPY app /srv/app\nCMD python /srv/app\n"


def check(tmp_path, text, *options):
    """Exit status, stdout, stderr."""
    path = tmp_path / "Dockerfile"
    path.write_text(text)
    out, errors = StringIO(), StringIO()
    try:
        call_command("check_dockerfile", str(path), *options, stdout=out, stderr=errors)
    except SystemExit as exit_:
        return exit_.code, out.getvalue(), errors.getvalue()
    return 0, out.getvalue(), errors.getvalue()


def test_faults_are_named_by_their_lines(tmp_path):
    status, out, _ = check(tmp_path, FAULTY)
    assert status == 1
    shell, interpreter = out.splitlines()
    assert shell.startswith("Line 3: CMD is in shell form")
    assert interpreter.startswith("Line 3: CMD starts python, scratch is empty")


def test_json_is_a_list(tmp_path):
    status, out, _ = check(tmp_path, FAULTY, "--json")
    assert (status, [(one["kind"], one["line"]) for one in json.loads(out)]) == (
        1,
        [("no shell", 3), ("no interpreter", 3)],
    )
    assert check(tmp_path, GOOD, "--json")[:2] == (0, "[]\n")


def test_nothing_proven_is_no_promise(tmp_path):
    status, out, errors = check(tmp_path, GOOD)
    assert (status, out) == (0, "")
    assert "Only a build and a start prove that it runs." in errors


def test_what_is_no_dockerfile_is_said(tmp_path):
    status, _, errors = check(tmp_path, "FROM a\nWIBBLE\n")
    assert status == 2
    assert "Line 2: 'WIBBLE' is not a Dockerfile instruction." in errors


def test_a_file_that_is_not_there(tmp_path):
    errors = StringIO()
    with pytest.raises(SystemExit) as exit_:
        call_command("check_dockerfile", str(tmp_path / "none"), stderr=errors)
    assert exit_.value.code == 2
    assert "Name a Dockerfile on disk." in errors.getvalue()


def test_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(FAULTY.encode())))
    out = StringIO()
    with pytest.raises(SystemExit) as exit_:
        call_command("check_dockerfile", "-", stdout=out)
    assert exit_.value.code == 1


def test_a_terminal_is_not_obeyed(tmp_path):
    text = 'FROM python:3 AS b\nRUN pip install .\nFROM python:3\nCOPY --from=b /\x1b]0;owned\x07 /a\nCMD ["python"]\n'
    _, out, _ = check(tmp_path, text)
    assert "\x1b" not in out
    assert "owned" in out
