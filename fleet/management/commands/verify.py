"""``manage.py verify REFERENCE``: suggested Dockerfiles built and run on an engine, beside the image they replace.

Exit status: 0 all that is offered is verified, 1 a suggestion failed, 2 nothing was proven, 130 interrupted.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from fleet.analysis.analyse import analyse
from fleet.dockerfile.ladder import offer, only_gains
from fleet.dockerfile.suggestion import TIERS, Obstacle, Suggestion, Tier
from fleet.image.loading import LoadedImage
from fleet.management.suggestion_command import SuggestionCommand, bases_of, mode_of
from fleet.management.verifying import INCONCLUSIVE, Rung, as_json, print_rungs, status_of
from fleet.oci.credentials import Credentials, from_docker_config
from fleet.oci.errors import InvalidReference, NotFound
from fleet.verification.context import check_git_url, is_git_url
from fleet.verification.engine import EngineSettings, Limits
from fleet.verification.probing import make_probe, parse_environment
from fleet.verification.verify import Order, Outcome, verify
from fleet.verification.watch import Log

NO_CONTEXT = "A rebuild needs what it is built from: name a directory or a git URL with --context."


class Command(SuggestionCommand):
    help = "Build a suggested Dockerfile, run it beside the original, and compare. Needs an engine, and no database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--tier", choices=get_args(Tier), help="one rung of the ladder; all by default")
        parser.add_argument("--context", default="", metavar="DIR|GIT_URL", help="what a rebuild is built from")
        parser.add_argument("--engine", metavar="URL", help="unix://, tcp:// or ssh://; DOCKER_HOST by default")
        parser.add_argument("--http", default="", metavar="PATH", help="ask for this path (on --port)")
        parser.add_argument("--port", type=int, default=0, help="the port that answers HTTP")
        parser.add_argument("--tcp", type=int, default=0, metavar="PORT", help="only connect to this port")
        parser.add_argument("--command", default="", metavar="WORDS", help="run this in place of what the image starts")
        parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="set in both (repeatable)")
        parser.add_argument("--wait", type=float, default=60.0, metavar="S", help="how long one may take to answer")
        parser.add_argument("--memory", type=int, default=1_000, metavar="MB", help="for a build, and each container")
        parser.add_argument("--build-network", default="", metavar="NAME", help="what RUN lines reach: host or none")

    def prepare(self, options: dict[str, Any]) -> None:
        options["variables"] = parse_environment("\n".join(options["env"]))
        _check(options)

    def report(self, image: LoadedImage, options: dict[str, Any]) -> int:
        rungs = list(self._rungs(image, options))
        if options["json"]:
            self.stdout.write(as_json(rungs))
        else:
            print_rungs(self.stdout, rungs)
        return status_of(rungs)

    def _rungs(self, image: LoadedImage, options: dict[str, Any]) -> Iterator[Rung]:
        mode, text = mode_of(options), options["text"]
        analysis, bases = analyse(image), bases_of(image, options)
        # What the ladder would not offer is built only for who asks for it.
        tiers = (options["tier"],) if options["tier"] else TIERS
        for made in only_gains([offer(image, analysis, mode, tier, bases=bases, dockerfile=text) for tier in tiers]):
            if isinstance(made, Obstacle):
                yield Rung(mode, made.tier, obstacle=made.reason)
            else:
                yield Rung(mode, made.tier, made, self._verified(image, made, options))

    def _verified(self, image: LoadedImage, suggestion: Suggestion, options: dict[str, Any]) -> Outcome:
        if suggestion.mode == "rebuild" and not options["context"]:
            return Outcome("inconclusive", (NO_CONTEXT,), "no-context")
        order = Order(
            suggestion.dockerfile,
            # What FROM says where the image is not in a registry.
            image.reference if not image.compressed_estimated else f"{image.name}:{image.tag or 'latest'}",
            str(image.config.platform),
            make_probe(
                image.config,
                path=options["http"],
                port=options["tcp"] or options["port"],
                command=options["command"],
                tcp=bool(options["tcp"]),
                environment=options["variables"],
            ),
            options["context"] if suggestion.mode == "rebuild" else "",
            local=True,
        )
        limits = Limits(memory_bytes=options["memory"] * 1_000_000, start_seconds=options["wait"])
        settings = EngineSettings(options["engine"], limits=limits, build_network=options["build_network"])
        return verify(order, settings, _login, _Told(self, f"{suggestion.mode} to {suggestion.tier}"))


class _Told:
    """Says on stderr what is done, for who waits."""

    def __init__(self, command: SuggestionCommand, name: str) -> None:
        self._command = command
        self._name = name

    def follows(self, log: Log) -> None: ...

    def step(self, sentence: str) -> None:
        self._command.say(f"{self._name}: {sentence}")

    def beat(self) -> None: ...


def _login(host: str) -> Credentials | None:
    return from_docker_config(host)


def _check(options: dict[str, Any]) -> None:
    """Raises RegistryError for what cannot be probed or built."""
    make_probe(
        path=options["http"],
        port=options["tcp"] or options["port"],
        command=options["command"],
        tcp=bool(options["tcp"]),
    )
    if sum(bool(options[name]) for name in ("http", "tcp", "command")) > 1:
        raise InvalidReference("Name one of --http, --tcp and --command: a probe asks one thing.")
    if options["wait"] <= 0 or options["memory"] < 6:
        raise InvalidReference("--wait is in seconds and --memory in MB, at least 6: engines run nothing with less.")
    context = options["context"]
    if is_git_url(context):
        check_git_url(context, local=True)
    elif context and not Path(context).is_dir():
        raise NotFound(f"There is no directory {context} here. Check --context.")


__all__ = ["INCONCLUSIVE", "Command"]
