"""hadolint's word, from hadolint itself."""

from dataclasses import replace
from pathlib import Path
from sys import executable

import pytest

from fleet.dockerfile.lint import NAME, linted
from tests.dockerfile import images as i

HADOLINT = str(Path(executable).with_name("hadolint"))


def gate(suggestion):
    (found,) = [gate for gate in linted(suggestion, HADOLINT).gates if gate.name == NAME]
    return found


@pytest.mark.parametrize("suggestion", [i.repacked(i.service()), i.rebuilt(i.service()), i.rebuilt(i.service(), None)])
def test_what_we_suggest_passes(suggestion):
    assert gate(suggestion).passed


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ('FROM debian:latest\nCMD ["x"]\n', "line 1: DL3007"),
        ("FROM debian:12\nCMD x\n", "line 2: DL3025"),
        ("FROM debian:12\nRUN if\n", "line 2: SC"),
    ],
)
def test_errors_fail_and_are_named(text, detail):
    found = gate(replace(i.repacked(i.service()), dockerfile=text))
    assert not found.passed
    assert detail in found.detail


def test_what_the_team_wrote_is_its_own_affair():
    text = 'FROM debian:latest AS build\nRUN cd /x\n\nFROM debian:12\nCMD ["x"]\n'
    assert gate(replace(i.rebuilt(i.service()), dockerfile=text)).passed
    assert not gate(replace(i.repacked(i.service()), dockerfile=text)).passed


def test_without_it_nothing_is_said(tmp_path):
    suggestion = i.repacked(i.service())
    assert linted(suggestion, str(tmp_path / "hadolint")) == suggestion
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho nonsense\n")
    broken.chmod(0o755)
    assert linted(suggestion, str(broken)) == suggestion
