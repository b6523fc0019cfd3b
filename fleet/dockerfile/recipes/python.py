"""Python: the official images' interpreter at /usr/local, packages beside it or in a virtual environment."""

from __future__ import annotations

from fleet.dockerfile.build_stage import last_base
from fleet.dockerfile.candidates import full_bases, python_bases, python_minor
from fleet.dockerfile.history import outline_from
from fleet.dockerfile.interpreter import Interpreter, find_interpreter
from fleet.dockerfile.parse import parse_dockerfile
from fleet.dockerfile.rebuild import rebuild
from fleet.dockerfile.repack import repack
from fleet.dockerfile.request import Request
from fleet.dockerfile.sources import Source
from fleet.dockerfile.suggestion import BaseImage, NothingToSuggest, Suggestion
from fleet.dockerfile.wording import listed

_OFFICIAL_PREFIX = "usr/local"


def is_official(request: Request) -> bool:
    """Whether the image's Python lies where the official images have theirs."""
    found = find_interpreter(request.tree, request.image.config)
    return found is None or found.prefix == _OFFICIAL_PREFIX


def suggest(request: Request) -> Suggestion:
    """A slim image with the same Python minor. Raises NothingToSuggest with the reason."""
    interpreter = _interpreter(request)
    if request.mode == "repack":
        return repack(request, interpreter, _base(request, interpreter))
    if request.dockerfile is None:
        base = _base(request, interpreter)
        return rebuild(request, interpreter, base, _outline(request, interpreter, base))
    dockerfile = parse_dockerfile(request.dockerfile)
    if dockerfile.escape != "\\":
        raise NothingToSuggest("The Dockerfile escapes with `, as for Windows: there is no recipe for that.")
    start = last_base(dockerfile)
    base = _base(request, interpreter, start)
    return rebuild(request, interpreter, base, Source(dockerfile, python_minor(start)))


def _interpreter(request: Request) -> Interpreter:
    interpreter = find_interpreter(request.tree, request.image.config)
    if interpreter is None:
        raise NothingToSuggest("The image runs Python, but no interpreter was found in its files.")
    return interpreter


def _outline(request: Request, interpreter: Interpreter, base: BaseImage) -> Source:
    """A Dockerfile from history, on the base that the image most likely was built on."""
    names = full_bases(request.tree, request.analysis, interpreter, request.base_layers)
    known = next((name for name in names if request.bases.pin(name)), names[0])
    outline = outline_from(request.image, request.base_layers, known)
    return Source(parse_dockerfile(outline.text), guesses=outline.guesses)


def _base(request: Request, interpreter: Interpreter, from_reference: str = "") -> BaseImage:
    candidates = python_bases(request.tree, interpreter, from_reference)
    base = request.bases.find(candidates)
    if base is None:
        unknown = f"No smaller base is known for Python {interpreter.minor}: looked for {listed(candidates)}."
        raise NothingToSuggest(request.bases.refusal(candidates) or unknown)
    return base
