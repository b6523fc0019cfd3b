"""Nothing that an image says of itself becomes an instruction, on any rung: what cannot be written is refused."""

import re
import shlex
from dataclasses import replace

import dockerfile as oracle
import pytest

from fleet.analysis.analyse import analyse
from fleet.dockerfile.ladder import ladder
from fleet.dockerfile.suggestion import Obstacle
from tests.dockerfile import images as i
from tests.dockerfile.test_suggest import BASES

HOSTILE = {
    "line break": "x\nRUN touch /INJECTED\n",
    "carriage return": "x\r\nRUN touch /INJECTED\r\n",
    "continuation": "x \\\n RUN touch /INJECTED",
    "double quotes": '"; RUN touch /INJECTED "',
    "single quotes": "'; touch /INJECTED; '",
    "command": "$(touch /INJECTED)",
    "variable": "${INJECTED:-x}",
    "backticks": "`touch /INJECTED`",
    "heredoc": "<<EOF\nRUN touch /INJECTED\nEOF",
    "heredoc marker": "<<EOF",
    "comment": "# INJECTED",
    "flag": "--from=INJECTED",
    "array": '["INJECTED"]',
    "unicode separators": "x\u2028RUN touch /INJECTED\u2029\x85RUN touch /INJECTED",
    "glob": "*[a-z]?INJECTED",
}
PLAIN = replace(i.CONFIG, cmd=("python", "/app/manage.py"))


def rungs(loaded, dockerfile=None):
    return ladder(loaded, analyse(loaded), bases=BASES, dockerfile=dockerfile).rungs


def instructions(text):
    return [(command.cmd.upper(), command.value) for command in oracle.parse_string(text)]


def check(loaded, dockerfile=None):
    """Every offered text holds the instructions that a harmless image gets, with other words at most."""
    offered = [rung for rung in rungs(loaded, dockerfile) if not isinstance(rung, Obstacle)]
    for rung in offered:
        for text in filter(None, (rung.dockerfile, rung.buildkit)):
            found = instructions(text)
            assert not [name for name, _ in found if name not in _KNOWN]
            assert not [values for name, values in found if name == "RUN" and values[0].startswith("touch /INJECTED")]
            for values in (values for name, values in found if name == "RUN"):
                _check_script(values[0])
    return offered


_WORDS = "FROM RUN COPY ENV LABEL WORKDIR VOLUME EXPOSE STOPSIGNAL USER HEALTHCHECK ENTRYPOINT CMD ARG"
_KNOWN = frozenset(_WORDS.split())


# A word that a shell leaves as it is, and that is no option.
_HARMLESS = re.compile(r"(?!-)[\w./:@%+=,-]+")


def _check_script(script):
    """No word of a shell script of ours is expanded, and none starts a command that is not ours."""
    lexer = shlex.shlex(script, posix=False, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    tokens = list(lexer)
    for before, token in zip(["", *tokens], tokens, strict=False):
        if "INJECTED" in token and not _HARMLESS.fullmatch(token):
            assert "'" in token or before == "--"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    "place",
    [
        "label",
        "label name",
        "variable",
        "user",
        "directory",
        "volume",
        "port",
        "signal",
        "argument",
        "check",
        "shell check",
    ],
)
def test_settings(text, place):
    settings = {
        "label": {"labels": {"a": text}},
        "label name": {"labels": {text: "a"}},
        "variable": {"env": (*i.BASE_ENV, f"A={text}")},
        "user": {"user": text},
        "directory": {"working_dir": f"/{text}"},
        "volume": {"volumes": (f"/{text}",)},
        "port": {"exposed_ports": (text,)},
        "signal": {"stop_signal": text},
        "argument": {"cmd": ("python", "/app/manage.py", text)},
        "check": {"healthcheck": i.Healthcheck(("CMD", "python", text))},
        "shell check": {"healthcheck": i.Healthcheck(("CMD-SHELL", f"python x {text}"))},
    }
    check(i.service(config=replace(PLAIN, **settings[place])))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    "place", ["app/{}", "{}/file", "usr/local/lib/{}.so", "etc/{}", "usr/share/doc/{}", "app/.git/{}", "root/{}"]
)
def test_paths(text, place):
    path = place.format(text.replace("/", "|").strip())
    check(i.service(("COPY . .", {path: 400_000}), config=PLAIN))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_links(text):
    check(i.service(("COPY . .", {"app/link": f"-> {text}", "usr/local/bin/link": f"-> {text}"}), config=PLAIN))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    "step", ["{}", "RUN /bin/sh -c {}", "COPY {} /app", "/bin/sh -c apt-get install -y {} # buildkit"]
)
def test_history(text, step):
    loaded = i.service((step.format(text), {"app/x": 10}), config=PLAIN)
    for rung in rungs(loaded):
        if not isinstance(rung, Obstacle) and rung.mode == "repack":
            assert "INJECTED" not in rung.dockerfile
    for rung in rungs(loaded):
        if not isinstance(rung, Obstacle):
            assert not [name for name, _ in instructions(rung.dockerfile) if name not in _KNOWN]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_names_of_packages(text):
    name = text.partition("\n")[0]
    files = {
        "var/lib/dpkg/status": i.deb("libc6", "gcc", name),
        f"var/lib/dpkg/info/{name.replace('/', '|')}.list": i.listing("usr/bin/tool"),
        "usr/bin/tool": i.SHELL,
    }
    loaded = i.service((f"/bin/sh -c apt-get install -y {name}", files), config=PLAIN)
    check(loaded, "FROM python:3.11\nCMD python /app/manage.py\n")


@pytest.mark.parametrize("text", ["x\nRUN touch /INJECTED\n#", "x AS y", "-f", "x\ty"])
def test_the_name_in_an_archive(text):
    service = i.service(config=PLAIN)
    layers = tuple(replace(layer, compressed_estimated=True) for layer in service.layers)
    loaded = replace(service, name=text, tag="1", layers=layers)
    for rung in rungs(loaded):
        assert rung.mode == "rebuild" or isinstance(rung, Obstacle)
        assert isinstance(rung, Obstacle) or "INJECTED" not in rung.dockerfile
