"""``debian:bookworm`` and the ``buildpack-deps`` layers that the full language images share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from fleet.sample import debian
from fleet.sample.plan import Plan, apt_files
from fleet.sample.tar import File
from fleet.sample.trees import text


def debian_image(moment: datetime, *, slim: bool) -> Plan:
    """The distribution's root file system: 74 MB slim, 117 MB with its documentation."""
    suite = "bookworm-slim" if slim else "bookworm"
    line = f"# debian.sh --arch 'amd64' out/ '{suite}' '@{int(moment.timestamp())}'"
    plan = Plan.scratch(moment).written(line, "debuerreotype 0.15", debian.base_system, slim)
    return replace(plan, debs=debian.group("slim"), slim=slim).cmd("bash")


def buildpack(moment: datetime, *groups: str) -> Plan:
    """``buildpack-deps``: curl, then version control, then compilers and the headers of common libraries."""
    plan = debian_image(moment, slim=False)
    for group in groups:
        names = debian.group(group)
        new = debian.with_dependencies(names, plan.debs)
        shown = " ".join(names[:14])
        install = f"apt-get install -y --no-install-recommends {shown}"
        command = f"set -eux; apt-get update; {install} ; rm -rf /var/lib/apt/lists/*"
        plan = replace(
            plan.run(command, apt_files, new, plan.debs, False, False), debs=tuple(sorted({*plan.debs, *new}))
        )
    return plan


def script(path: str, interpreter: str, lines: str) -> Iterator[File]:
    """An executable script."""
    yield text(path, f"#!{interpreter}\n{lines}", 0o755)
