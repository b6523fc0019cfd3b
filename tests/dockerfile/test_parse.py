"""The parser against BuildKit's own, and against text that is no Dockerfile."""

import re
from pathlib import Path

import dockerfile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.dockerfile.parse import KNOWN, Instruction, InvalidDockerfile, parse_dockerfile
from tests.dockerfile.corpus import CORPUS, LINES

GOLDEN = Path(__file__).parent.parent / "golden"
FILES = sorted(GOLDEN.glob("*.Dockerfile"))
WORDS_IN = ("RUN", "CMD", "ENTRYPOINT", "SHELL")


def read(path):
    return path.read_bytes().decode()


TEXTS = {**CORPUS, **{path.name: read(path) for path in FILES}}


def instructions(text):
    parsed = parse_dockerfile(text)
    parts = (*parsed.head, *(part for stage in parsed.stages for part in stage.parts))
    return [part for part in parts if isinstance(part, Instruction)]


def lines(part):
    return part.line, part.line + len(part.text.removesuffix("\n").split("\n")) - 1


def bodies(part):
    """Of ONBUILD the builder reads them when it runs."""
    return () if part.name == "ONBUILD" else part.heredocs


def words(part):
    if part.name not in WORDS_IN:
        return ()
    if part.array is not None:
        return part.array
    return (part.value,) if part.value else ()


def ours(text):
    return [(one.name, one.flags, lines(one), bodies(one), words(one)) for one in instructions(text)]


def buildkits(text):
    return [
        (
            (name := one.cmd.upper()),
            tuple(one.flags),
            (one.start_line, one.end_line),
            tuple(heredoc.content for heredoc in one.heredocs),
            tuple(one.value) if name in WORDS_IN else (),
        )
        for one in dockerfile.parse_string(text)
    ]


def test_the_corpus_is_large_and_varied():
    assert len(CORPUS) >= 200
    assert len(set(CORPUS.values())) == len(CORPUS)
    assert {one.name for text in CORPUS.values() for one in instructions(text)} == KNOWN


@pytest.mark.parametrize("name", TEXTS)
def test_unchanged_text_comes_out_byte_for_byte(name):
    assert str(parse_dockerfile(TEXTS[name])) == TEXTS[name]


@pytest.mark.parametrize("name", TEXTS)
def test_instructions_are_those_of_buildkits_parser(name):
    assert ours(TEXTS[name]) == buildkits(TEXTS[name])


# NUL ends a string on the way to the builder; beyond ASCII it looks for the ends of flags byte by byte, within letters
# too.
ASCII = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=20)
PIECES = st.lists(st.sampled_from(LINES) | ASCII, max_size=12)


@settings(max_examples=1000)
@given(PIECES, st.sampled_from(["\n", "\r\n"]))
def test_any_lines_are_read_as_buildkits_parser_reads_them(pieces, end):
    text = f"FROM a{end}" + end.join(pieces)
    # Ours refuses more: it knows the names of instructions, and what may stand in FROM.
    if refusal(text) is None:
        assert ours(text) == buildkits(text)


@given(st.text() | PIECES.map("\n".join))
def test_any_text_comes_out_unchanged_or_is_refused_by_its_line(text):
    message = refusal(text)
    if message is None:
        assert str(parse_dockerfile(text)) == text
    else:
        assert re.match(r"Line \d+: |The Dockerfile ", message)


def refusal(text):
    try:
        parse_dockerfile(text)
    except InvalidDockerfile as error:
        return str(error)


def test_stages_know_their_base_name_and_platform():
    first, second = parse_dockerfile(read(GOLDEN / "parse-odd.Dockerfile")).stages
    assert (first.base, first.name) == ("${REGISTRY}/python:${VERSION}", "build")
    assert (second.base, second.name, second.platform) == ("python:3.11-slim", "", "linux/amd64")


def test_global_arguments_are_read():
    parsed = parse_dockerfile(read(GOLDEN / "parse-odd.Dockerfile"))
    assert parsed.arguments == {"VERSION": "3.11", "REGISTRY": "docker.io/library"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no FROM"),
        ("# only a comment\n", "no FROM"),
        ("RUN x\nFROM a\n", "Line 1: only ARG"),
        ("FROM a\nWIBBLE b\n", "Line 2: 'WIBBLE'"),
        ("FROM a b\n", "Line 1: FROM takes"),
        ("FROM a\nRUN <<EOF\nx\n", "Line 2: the heredoc EOF"),
        ("FROM a\nCMD\n", "Line 2: CMD says nothing"),
        ("# escape=x\nFROM a\n", "Line 1: the escape"),
        ("# escape=`\n# escape=`\nFROM a\n", "Line 2: there is one escape directive already"),
        ("FROM a\nENV A=1 B\n", "Line 2: ENV takes name=value, not 'B'"),
        ('FROM a\nCMD ["a", 1]\n', "Line 2: the array of CMD holds"),
        ("FROM a\nONBUILD HEALTHCHECK CMD [1]\n", "Line 2: the array of HEALTHCHECK holds"),
        ("FROM a\n\\\n# b\n", "Line 2: there is nothing"),
        ("\ufeff\ufeffFROM a\n", "Line 1: .*FROM' is not"),
        ("FROM a\nLABEL A\n", "Line 2: LABEL takes name=value, not 'A'"),
        ("FROM a\n" + "# " + "x" * (1 << 20), "longer than 1 MiB"),
    ],
)
def test_what_is_no_dockerfile_names_the_line(text, message):
    with pytest.raises(InvalidDockerfile, match=message):
        parse_dockerfile(text)
