"""Facts about an image that weigh nothing: how it runs, what it is built on, what it gives away.

To add one: a function from a ``View`` to ``Observation``s in the module of its subject, its place in ``OBSERVERS``, a
test, and ``RULESET`` one higher.
"""

from __future__ import annotations

from fleet.analysis.findings import Observation
from fleet.analysis.observations.foundation import (
    ends_of_life,
    foreign_program,
    latest_base,
    several_runtimes,
)
from fleet.analysis.observations.observation import Observer, View
from fleet.analysis.observations.running import health_check, root, shell_form
from fleet.analysis.observations.secrets import secrets_in_environment, secrets_in_files, secrets_in_history

__all__ = ["OBSERVERS", "View", "observe"]

OBSERVERS: tuple[Observer, ...] = (
    secrets_in_files,
    secrets_in_environment,
    secrets_in_history,
    ends_of_life,
    foreign_program,
    several_runtimes,
    root,
    latest_base,
    shell_form,
    health_check,
)


def observe(view: View) -> tuple[Observation, ...]:
    """Everything there is to say of an image, the most pressing first."""
    return tuple(observation for observer in OBSERVERS for observation in observer(view))
