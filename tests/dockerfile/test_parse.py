"""The parser against BuildKit's own, and against text that is no Dockerfile."""

from pathlib import Path

import pytest

from fleet.dockerfile.parse import InvalidDockerfile, parse_dockerfile

GOLDEN = Path(__file__).parent.parent / "golden"
FILES = sorted(GOLDEN.glob("*.Dockerfile"))


def read(path):
    return path.read_bytes().decode()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_unchanged_text_comes_out_byte_for_byte(path):
    assert str(parse_dockerfile(read(path))) == read(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_instructions_are_those_of_buildkits_parser(path):
    oracle = pytest.importorskip("dockerfile")
    expected = oracle.parse_string(read(path).replace("\r\n", "\n"))
    parsed = parse_dockerfile(read(path))
    instructions = [part for part in parsed.head if hasattr(part, "name")]
    instructions += [one for stage in parsed.stages for one in stage.instructions]
    assert [(one.name, one.line) for one in instructions] == [(c.cmd.upper(), c.start_line) for c in expected]
    assert [one.flags for one in instructions] == [tuple(c.flags) for c in expected]
    assert [one.heredocs for one in instructions] == [tuple(h.content for h in c.heredocs) for c in expected] or any(
        "<<-" in one.value for one in instructions
    )
    for one, command in zip(instructions, expected, strict=True):
        if command.json and one.value.startswith("["):
            assert one.array == tuple(command.value)


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
        ("FROM a\n" + "# " + "x" * (1 << 20), "longer than 1 MiB"),
    ],
)
def test_what_is_no_dockerfile_names_the_line(text, message):
    with pytest.raises(InvalidDockerfile, match=message):
        parse_dockerfile(text)
