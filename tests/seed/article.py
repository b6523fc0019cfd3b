"""The article's three Dockerfiles, word for word, and the application that they are tried with.

Its python:3.9 gets no more updates and Django 5.2 does not run on it: builds take the Python that the bases have.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.applications.bases import MINOR, with_host

APPLICATION = Path(__file__).parents[1] / "end_to_end/django_app"
PORT = 8000
TRADITIONAL = "traditional"
BROKEN = ("two-stage", "scratch")
# What the article says each of its files weighs.
CLAIMS = {TRADITIONAL: "1 GB", "two-stage": "100 MB", "scratch": "10 MB"}
_FILES = Path(__file__).parent / "article"


def published(name: str) -> str:
    """One of the three as it stands in the article."""
    return path(name).read_text()


def path(name: str) -> Path:
    return _FILES / f"{name}.Dockerfile"


def buildable(name: str, mirror: str) -> str:
    """The same with today's Python, which comes from ``mirror`` unless that is empty."""
    text = re.sub(r"^FROM python:3\.9", f"FROM python:{MINOR}", published(name), flags=re.MULTILINE)
    return with_host(text, mirror) if mirror else text


def check_out(directory: Path, mirror: str) -> Path:
    """A team's working copy below ``directory``: the application, and the article's traditional Dockerfile."""
    checkout = directory / "checkout"
    shutil.copytree(APPLICATION, checkout, ignore=shutil.ignore_patterns("__pycache__"))
    (checkout / "Dockerfile").write_text(buildable(TRADITIONAL, mirror))
    return checkout
