"""How a container of the image runs: as whom, behind a shell, watched by whom."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from itertools import pairwise

from fleet.analysis.command import SHELLS, last_statement
from fleet.analysis.findings import Observation
from fleet.analysis.observations.observation import View

_LONGEST_NAME = 100
_MOST_OPTIONS = 10


def root(view: View) -> Iterator[Observation]:
    """The user of the config, looked up in /etc/passwd where it is a name; none is root."""
    user = view.image.config.user.partition(":")[0].strip()
    if not user:
        yield _root("The image names no user.")
    elif user.isascii() and user.isdigit() and not user.strip("0"):
        yield _root("The image names user 0.")
    elif user == "root" or _user_id(view, user) == "0":
        yield _root(f"The image names the user {user[:_LONGEST_NAME]}, which is user 0.")


def _root(detail: str) -> Observation:
    return Observation(
        "runs-as-root",
        "warning",
        "Runs as root",
        detail,
        "Set a numeric USER, for example USER 65532, and make what it writes to its own.",
    )


def _user_id(view: View, name: str) -> str:
    for line in (view.image.tree.text("etc/passwd") or "").splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[0] == name:
            return fields[2]
    return ""


def shell_form(view: View) -> Iterator[Observation]:
    """A shell as process 1 passes no signal on. ``exec`` puts the program in its place, and entry points of the shell
    form ignore what CMD says."""
    config = view.image.config
    for name, words in (("ENTRYPOINT", config.entrypoint), ("CMD", config.cmd)):
        script = _script(words or ())
        if words and script and last_statement(script)[:1] != ["exec"]:
            yield Observation(
                "shell-form",
                "info",
                "Starts through a shell",
                f"{name} is run by {words[0]} -c, so that the shell gets the signal to stop and the program does not.",
                'Write it as a list, CMD ["program", "argument"], or begin the script\'s last command with exec.',
            )


def _script(words: Sequence[str]) -> str:
    """What a shell is told to run: ``("/bin/bash", "-o", "pipefail", "-c", "make")`` gives ``make``."""
    if words and posixpath.basename(words[0]) in SHELLS:
        for option, script in pairwise(words[1:_MOST_OPTIONS]):
            if option.startswith("-") and option.endswith("c"):
                return script
    return ""


def health_check(view: View) -> Iterator[Observation]:
    """NONE switches off what a base had set."""
    check = view.image.config.healthcheck
    if check is None or not check.test or check.test[0] == "NONE":
        yield Observation(
            "no-health-check",
            "info",
            "No health check",
            "The image says nothing of how to tell whether it works." if check is None else "Its health check is off.",
            "Add HEALTHCHECK in the runtime's own language. Where Kubernetes runs it, its probes do the same.",
        )
