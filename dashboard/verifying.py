"""The button that has a suggestion verified: who may press it, what it does, and what the pages show of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from dashboard.suggestions import Proof
from fleet import snapshots, tasks
from fleet.models import Service, Suggestion, Verification
from fleet.verification import jobs
from fleet.verification.probing import Probe

OFF = "Nothing can be verified yet: an administrator has to configure an engine first."
NOTHING = "There is no Dockerfile to verify here: the suggestion changed meanwhile. Look at the service again."


def may_verify(request: HttpRequest) -> bool:
    """Who may configure engines verifies too. Being staff alone opens the admin, no more."""
    return request.user.has_perm("fleet.add_verification") or request.user.has_perm("fleet.change_engine")


def verify_now(request: HttpRequest, suggestion: Suggestion) -> Verification | None:
    """A queued verification, or the one that is under way already; None, with a message, where there can be none."""
    if not may_verify(request):
        raise PermissionDenied
    if not jobs.is_on():
        messages.error(request, OFF)
        return None
    if not suggestion.dockerfile:
        messages.error(request, NOTHING)
        return None
    verification = jobs.start(suggestion, request.user.pk)
    if verification.status == Verification.Status.RUNNING:
        messages.info(request, "It is being verified already. Here it is.")
    else:
        # One that waits already is sent once more: the first worker takes it, and a lost message is made good.
        tasks.enqueue_verification(verification)
    return verification


def cancel(request: HttpRequest, verification: Verification) -> None:
    if not may_verify(request):
        raise PermissionDenied
    if jobs.cancel(verification):
        messages.success(request, "The verification was cancelled. What it made on the engine is being removed.")
    else:
        messages.info(request, "The verification was over already.")


def of_service(request: HttpRequest, service: Service) -> tuple[dict[str, Any], dict[str, Proof]]:
    """What the service's page shows of verifications, and the proofs of its ladder. ``verifications`` is by
    ``mode-tier``, None where nobody configured an engine and nothing was ever verified."""
    found = snapshots.proofs_of(service)
    proven = {key: each for key, each in found.items() if each.status == Verification.Status.VERIFIED}
    proofs = {key: Proof(each.measured_compressed_bytes, each.measured_unpacked_bytes) for key, each in proven.items()}
    is_on = jobs.is_on()
    context = {
        "verifications": found if is_on or found else None,
        "may_verify": is_on and may_verify(request),
        "has_context": bool(getattr(getattr(service, "probe", None), "context", "")),
    }
    return context, proofs


def about(verification: Verification) -> str:
    """What was asked of both, in words; empty until that is known."""
    told = verification.probe
    if not told:
        return ""
    return Probe(told["kind"], told["path"], told["port"], command=tuple(told["command"])).about


@dataclass(frozen=True, slots=True)
class Trait:
    """One line of the two behaviours side by side."""

    name: str
    original: str
    candidate: str


def traits(verification: Verification) -> list[Trait]:
    """What both did, in words. A side that was not run has none."""
    original, candidate = verification.original or {}, verification.candidate or {}
    rows = [Trait(name, _told(read, original), _told(read, candidate)) for name, read in _TRAITS]
    return [row for row in rows if row.original or row.candidate]


def _told(read: Any, behaviour: Mapping[str, Any]) -> str:
    return str(read(behaviour)) if behaviour else ""


def _outcome(behaviour: Mapping[str, Any]) -> str:
    if behaviour.get("refusal"):
        return f"did not start: {behaviour['refusal']}"
    if behaviour.get("out_of_memory"):
        return "ran out of memory"
    if behaviour.get("running"):
        return "started and kept running"
    return f"ended with exit code {behaviour.get('exit_code')}"


def _answer(behaviour: Mapping[str, Any]) -> str:
    answer = behaviour.get("answer") or {}
    if not answer:
        return ""
    parts = [f"status {answer.get('status')}", answer.get("content_type") or "", answer.get("location") or ""]
    return ", ".join(part for part in parts if part)


def _port(behaviour: Mapping[str, Any]) -> str:
    is_open = behaviour.get("port_open")
    return "" if is_open is None else "open" if is_open else "closed"


_TRAITS = (
    ("Run", _outcome),
    ("Port", _port),
    ("HTTP answer", _answer),
    ("User", lambda behaviour: behaviour.get("user") or "root"),
    ("Took", lambda behaviour: f"{behaviour.get('seconds', 0):.1f} s"),
)


@dataclass(frozen=True, slots=True)
class Output:
    name: str
    original: str
    candidate: str


def outputs(verification: Verification) -> list[Output]:
    """The first lines of what both wrote, and answered."""

    def lines(behaviour: Mapping[str, Any] | None, name: str) -> str:
        found = behaviour or {}
        held = (found.get("answer") or {}).get("lines") if name == "answer" else found.get(name)
        return "\n".join(map(str, held or ()))

    names = (("Body of the answer", "answer"), ("Output", "stdout"), ("Error output", "stderr"))
    rows = [
        Output(title, lines(verification.original, name), lines(verification.candidate, name)) for title, name in names
    ]
    return [row for row in rows if row.original or row.candidate]
