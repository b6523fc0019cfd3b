"""Promises of the repository that no linter checks: documents that match the code, and the shape of the house."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(path for room in ("fleet", "dashboard", "scripts") for path in (ROOT / room).rglob("*.py"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
DRAWERS = {"utils", "helpers", "common", "manager", "services", "misc"}
LONGEST_MODULE_LINES = 300

READ = re.compile(r"(?:env\.\w+|_kept_secret)\(\s*\"([A-Z_]+)\"")
LISTED = re.compile(r"^\| `([A-Z_]+)` \|", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    read = set(READ.findall((ROOT / "fleet" / "settings.py").read_text()))
    listed = set(LISTED.findall((ROOT / "docs" / "configuration.md").read_text()))
    assert read == listed


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_links_lead_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_documents_name_files_that_exist(document: Path) -> None:
    named = re.findall(r"`((?:fleet|dashboard|tests|scripts|docs)/[\w/.]+)`", document.read_text())
    assert [name for name in named if "YOUR_" not in name and not (ROOT / name).exists()] == []


@pytest.mark.parametrize("requirements", ["requirements.txt", "tests/requirements.txt"])
def test_requirements_are_pinned(requirements: str) -> None:
    lines = [line for line in (ROOT / requirements).read_text().splitlines() if line and line[0] not in "#-"]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+(?:\[\w+\])?==[\w.]+", line)] == []


def test_modules_are_subjects_that_say_their_purpose() -> None:
    assert [_name(path) for path in MODULES if path.stem in DRAWERS] == []
    spoken = [path for path in MODULES if path.stat().st_size and "migrations" not in path.parts]
    assert [_name(path) for path in spoken if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_modules_stay_short() -> None:
    written = [path for path in MODULES if "migrations" not in path.parts]
    assert [_name(path) for path in written if len(path.read_text().splitlines()) > LONGEST_MODULE_LINES] == []


@pytest.mark.parametrize("command", ["scripts/demo", "scripts/seed", "scripts/test", ".ci/run", "manage.py"])
def test_commands_can_be_executed(command: str) -> None:
    assert os.access(ROOT / command, os.X_OK)
    assert (ROOT / command).read_text().startswith("#!")
