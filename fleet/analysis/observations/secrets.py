"""Secrets that everybody who can pull the image can read: named, never shown, never stored."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.analysis.findings import Observation
from fleet.analysis.observations.observation import View
from fleet.analysis.redaction import escape_controls, is_secret, secret_names
from fleet.analysis.rules.secret_files import secret_files

_MOST = 20
_KNOWN = "Take it for known and replace it"


def secrets_in_files(view: View) -> Iterator[Observation]:
    """By their names, also those that a later layer hides."""
    for count, claim in enumerate(secret_files(view.survey)):
        if count >= _MOST:
            return
        hidden = "" if claim.is_live(view.survey) else ", which a later layer hides and every pull brings along"
        yield Observation(
            "secret-file",
            "danger",
            "A file that holds a secret by its name",
            f"{escape_controls('/' + claim.entry.path)[:300]} in layer {claim.layer}{hidden}.",
            f"{_KNOWN}. Hand it to a build with RUN --mount=type=secret and to a container when it starts.",
        )


def secrets_in_environment(view: View) -> Iterator[Observation]:
    names = []
    for item in view.image.config.env:
        name, _, value = item.partition("=")
        if is_secret(name, value):
            names.append(name)
    for name in dict.fromkeys(names[:_MOST]):
        yield Observation(
            "secret-in-environment",
            "danger",
            "A secret in an environment variable",
            f"The image sets {escape_controls(name)[:100]} to a value that looks like one.",
            f"{_KNOWN}. Set the variable when the container starts, from the platform's secret store.",
        )


def secrets_in_history(view: View) -> Iterator[Observation]:
    """Build arguments and commands, as the history tells them."""
    found = {name: None for entry in view.image.config.history for name in secret_names(entry.created_by)}
    # What the environment holds stands in the history as well.
    found = {name: None for name in found if not is_secret(name, view.image.config.variable(name) or "")}
    for name in list(found)[:_MOST]:
        yield Observation(
            "secret-in-history",
            "danger",
            "A secret in the build's history",
            f"{escape_controls(name)[:100]} was given to a build step, and its value stands in the image's history.",
            f"{_KNOWN}. Use RUN --mount=type=secret in place of ARG, ENV or the command line.",
        )
