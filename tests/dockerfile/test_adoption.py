"""Patches that the real tools apply, and summaries that no text from an image breaks out of."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.dockerfile.adoption import Figure, diff, fell_as_promised, fenced, inline, matches, patch, summary
from fleet.image.sizes import Sizes

OLD = "FROM python:3.12\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\nCMD python app.py\n"
NEW = (
    "FROM python:3.12 AS build\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n\n"
    'FROM python:3.12-slim\nCOPY --from=build /app /app\nCMD ["python", "app.py"]\n'
)
FORM_FEED = "FROM scratch\nRUN printf 'a\x0cb\u2028c\x85d'\nCMD x\n"
PAIRS = {
    "a usual one": (OLD, NEW),
    "no newline at the end before": (OLD.removesuffix("\n"), NEW),
    "no newline at the end after": (OLD, NEW.removesuffix("\n")),
    "no newline at either end": (OLD.removesuffix("\n"), NEW.removesuffix("\n")),
    "only the newline differs": (OLD.removesuffix("\n"), OLD),
    "CRLF": (OLD.replace("\n", "\r\n"), NEW),
    "CRLF without the last": (OLD.replace("\n", "\r\n").removesuffix("\r\n"), NEW),
    "mixed line ends": (OLD.replace("\n", "\r\n", 1), NEW),
    "control characters that end no line": (FORM_FEED, FORM_FEED.replace("CMD x", "CMD y")),
    "lines that look like a patch's": ("-- a\n++ b\n@@ -1 +1 @@\n\\ No newline\n", "++ b\n--- a/Dockerfile\n"),
    "one line": ("FROM a\n", "FROM b\n"),
    "far apart": ("".join(f"# {at}\n" for at in range(90)), "".join(f"# {at % 40}\n" for at in range(90))),
}
TOOLS = {
    "patch": ["patch", "-p1", "--batch", "--fuzz=0"],
    "git apply": ["git", "apply", "--whitespace=nowarn", "-"],
}


def applied(tool: list[str], where: Path, old: str, text: str) -> bytes:
    where.mkdir(exist_ok=True)
    (where / "Dockerfile").write_bytes(old.encode())
    # git leaves a patch alone whose files are outside of the repository that it finds itself in.
    environment = {"GIT_CEILING_DIRECTORIES": str(where.parent), "PATH": "/usr/bin:/bin"}
    subprocess.run(tool, cwd=where, input=text.encode(), check=True, capture_output=True, env=environment)
    return (where / "Dockerfile").read_bytes()


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("pair", PAIRS)
def test_the_real_tools_apply_a_patch(tmp_path: Path, pair: str, tool: str) -> None:
    old, new = PAIRS[pair]
    outcome = applied(TOOLS[tool], tmp_path / "app", old, patch(old, new))
    expected = new.replace("\n", "\r\n") if pair.startswith("CRLF") else new
    assert outcome.decode() == expected


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["FROM a", "RUN b", "", " c\t", "-- d", "é\u2028"]), max_size=12),
    st.lists(st.sampled_from(["FROM a", "RUN b", "", " c\t", "++ e", "é\u2028"]), min_size=1, max_size=12),
    st.sampled_from(["", "\n"]),
    st.sampled_from(["", "\n"]),
)
def test_any_patch_applies(
    tmp_path_factory: pytest.TempPathFactory, old: list[str], new: list[str], old_end: str, new_end: str
) -> None:
    before, after = "\n".join(old) + old_end, "\n".join(new) + new_end
    text = patch(before, after)
    if not before or not after or before == after:  # a new or an empty file is none of ours
        assert bool(text) == (before != after)
        return
    where = tmp_path_factory.mktemp("any")
    for name, tool in TOOLS.items():
        assert applied(tool, where / name.replace(" ", "-"), before, text).decode() == after, name


def test_equal_texts_have_no_patch() -> None:
    assert patch(OLD, OLD) == ""
    assert diff(OLD, OLD) == []


def test_a_patch_is_a_unified_diff_of_a_dockerfile() -> None:
    lines = patch(OLD, NEW).splitlines()
    assert lines[:3] == ["--- a/Dockerfile", "+++ b/Dockerfile", "@@ -1,5 +1,8 @@"]
    assert "-CMD python app.py" in lines
    assert '+CMD ["python", "app.py"]' in lines
    assert [line.kind for line in diff(OLD, NEW)].count("removed") == 2


def test_comments_and_space_make_no_other_dockerfile() -> None:
    assert matches(f"# ours\n\n{NEW}".replace("\n", "\r\n"), NEW)
    assert not matches(OLD, NEW)
    assert not matches("", "# nothing\n")


@pytest.mark.parametrize(
    ("real", "promised", "expected"),
    [
        (Sizes(90, 30), Sizes(100, 40), True),
        (Sizes(50, 20), Sizes(100, 40), True),
        (Sizes(49, 40), Sizes(100, 40), False),
        (Sizes(100, 19), Sizes(100, 40), False),
        (Sizes(-10, 40), Sizes(0, 40), True),
        (Sizes(100, 40), Sizes(100, 0), False),
        (Sizes(-1, -1), Sizes(-2, -2), False),
    ],
)
def test_half_of_each_promise_is_a_promise_kept(real: Sizes, promised: Sizes, expected: bool) -> None:
    assert fell_as_promised(real, promised) is expected


EVIL = "``` \n# owned\n[x](http://evil.example) <script>| @everyone #1 ~~a~~ *b* _c_ ````"


def test_text_from_images_stays_text_in_a_summary() -> None:
    made = summary(EVIL, [Figure("Compressed", "1 | 2", "a\nb")], [("Why", [EVIL, "- # item"])], f"RUN x\n{EVIL}\n")
    head, _, rest = made.partition("## Dockerfile")
    assert "\n# owned" not in head
    assert "<script" not in head.replace("\\<script", "")
    assert "`@everyone`" in head
    assert "`[x](http://evil.example)`" in head
    assert "- \\- `#` item" in head
    assert "| Compressed | 1 2 | a b |  |" in head
    assert rest.startswith("\n\n`````dockerfile\n")
    assert rest.endswith("\n`````\n")
    assert "`````" not in rest.removeprefix("\n\n`````").removesuffix("`````\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain words, 12 MB.", "plain words, 12 MB."),
        ("/usr/lib/my_file*", "/usr/lib/my\\_file\\*"),
        ("1. item", "1\\. item"),
        ("1.1 GB", "1.1 GB"),
        ("# heading", "`#` heading"),
        ("> quote", "\\> quote"),
        ("+ plus", "\\+ plus"),
        ("@scope/`x`", "`` @scope/`x` ``"),
        ("a\r\n\u2028b", "a b"),
    ],
)
def test_markup_is_escaped(text: str, expected: str) -> None:
    assert inline(text) == expected


@given(st.text("`a\n~", max_size=40))
def test_no_fence_is_closed_from_within(text: str) -> None:
    first, *lines, last = fenced(text).split("\n")
    assert first == last
    assert not any(line.strip().startswith(first) for line in lines)
