"""Hostile values against BuildKit's own parser: what it reads back is what was meant, or nothing was written."""

import pytest

from fleet.dockerfile.quoting import (
    Unwritable,
    comment,
    copy_paths,
    duration,
    exec_form,
    expanded_array,
    shell_word,
    word,
)

dockerfile = pytest.importorskip("dockerfile")
HOSTILE = [
    "a b",
    'say "hi"',
    "$HOME",
    "back\\slash",
    "it's",
    "#x",
    "a=b",
    "",
    "[x]",
    "<<EOF",
    "é ✓",
    "x\\",
    "`id`",
    "\t",
]


def expand(text):
    """What the builder makes of a word in double quotes."""
    assert text[0] == text[-1] == '"' or text.isascii()
    out, index = [], 0
    body = text[1:-1] if text.startswith('"') else text
    while index < len(body):
        if body[index] == "\\" and body[index + 1 : index + 2] in ('"', "\\", "$"):
            index += 1
        else:
            assert not text.startswith('"') or body[index] not in '"$'
        out.append(body[index])
        index += 1
    return "".join(out)


@pytest.mark.parametrize("value", [v for v in HOSTILE if v != "\t"])
def test_a_word_is_one_word_and_expands_to_the_value(value):
    (command,) = dockerfile.parse_string(f"FROM x\nENV A={word(value)}\n")[1:]
    assert command.value[:2] == ("A", word(value))
    assert len(command.value) in (2, 3)
    assert expand(word(value)) == value


@pytest.mark.parametrize("value", [*HOSTILE, "line\nbreak", "\x7f", "\x1b[31m"])
def test_the_exec_form_is_read_back_exactly(value):
    (command,) = dockerfile.parse_string(f"FROM x\nCMD {exec_form(['run', value])}\n")[1:]
    assert command.json
    assert command.value == ("run", value)


@pytest.mark.parametrize("value", ["line\nbreak", "\0", "\x1b[31m", "carriage\r", "\udcff"])
@pytest.mark.parametrize("write", [word, shell_word, lambda v: copy_paths([v], "/x"), lambda v: expanded_array([v])])
def test_what_no_dockerfile_can_say_is_refused(write, value):
    with pytest.raises(Unwritable, match="cannot"):
        write(value)


def test_copy_escapes_patterns_in_sources_only():
    assert copy_paths(["/app/[id]"], "/app/[id]") == '["/app/[[]id]", "/app/[id]"]'
    assert copy_paths(["/a*b?"], "/x") == '["/a[*]b[?]", "/x"]'


def test_copy_uses_the_array_form_only_where_it_has_to():
    assert copy_paths(["/app", "/srv-1"], "/x/") == "/app /srv-1 /x/"
    assert copy_paths(["/a b"], "/a b") == '["/a b", "/a b"]'
    assert copy_paths(["/$x"], "/$x") == '["/\\\\$x", "/\\\\$x"]'


def test_a_backslash_in_a_copied_path_is_refused():
    with pytest.raises(Unwritable, match="backslash"):
        copy_paths(["/a\\b"], "/x")


def test_a_comment_stays_on_its_line():
    assert comment("one\nRUN evil\x1b[0m") == "# one RUN evil [0m"


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (30_000_000_000, "30s"),
        (90_000_000_000, "90s"),
        (120_000_000_000, "2m"),
        (1_500_000_000, "1.5s"),
        (1, "0.000000001s"),
    ],
)
def test_durations_are_exact(nanoseconds, text):
    assert duration(nanoseconds) == text
