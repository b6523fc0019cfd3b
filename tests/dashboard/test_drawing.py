"""Words, lines and colours, without a database."""

from __future__ import annotations

import time

import pytest

from dashboard.charts import SPARKLINE_HEIGHT, SPARKLINE_WIDTH, sparkline
from dashboard.highlight import Span, dockerfile_spans
from dashboard.wording import ahead, duration, left, megabytes, rate, runtime, saving, span

MB = 10**6


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"), (1, "1 B"), (999, "999 B"), (1000, "1 kB"), (12_345, "12.3 kB"), (999_600, "1 MB"),
        (330 * MB, "330 MB"), (1_413_000_000, "1.41 GB"), (7_900_000_000, "7.9 GB"), (100 * MB, "100 MB"),
        (-2 * MB, "−2 MB"), (5 * 10**15, "5000 TB"),
    ],
)  # fmt: skip
def test_sizes_are_decimal_with_three_figures(size: int, text: str) -> None:
    assert megabytes(size) == text.replace(" ", "\xa0")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.85, "850 ms"), (12.44, "12.4 s"), (200, "3 min 20 s"), (3900, "1 h 5 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds).replace("\xa0", " ") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 second"), (45, "45 seconds"), (60, "1 minute"), (90, "90 seconds"), (190, "3 minutes"),
        (3600, "1 hour"), (5400, "90 minutes"), (21_600, "6 hours"), (86_400, "1 day"), (200_000, "2 days"),
    ],
)  # fmt: skip
def test_spans_are_in_their_largest_unit(seconds: float, text: str) -> None:
    assert span(seconds).replace("\xa0", " ") == text


def test_what_lies_ahead_and_what_is_left() -> None:
    assert ahead(185).replace("\xa0", " ") == "in 3 minutes"
    assert ahead(0.5) == ahead(-60) == "any moment"
    assert left(185).replace("\xa0", " ") == "about 3 minutes"
    assert left(4) == "a few seconds"
    assert rate(12_345_678).replace("\xa0", " ") == "12.3 MB/s"


@pytest.mark.parametrize(
    ("size", "text"), [(-5, "nothing"), (0, "nothing"), (99_999, "< 0.1 MB"), (100_000, "100 kB"), (341 * MB, "341 MB")]
)
def test_a_crumb_is_no_saving(size: int, text: str) -> None:
    assert saving(size).replace("\xa0", " ") == text


@pytest.mark.parametrize(("name", "text"), [("python", "Python"), ("node", "Node.js"), ("nginx", "nginx")])
def test_runtimes_are_written_as_their_makers_do(name: str, text: str) -> None:
    assert runtime(name) == text


def points(line: str) -> list[tuple[float, float]]:
    return [tuple(map(float, point.split(","))) for point in line.split()]


def test_a_sparkline_stays_in_its_box_and_rises_with_the_size() -> None:
    drawn = points(sparkline([310 * MB, 250 * MB, 402 * MB]).line)
    assert all(0 <= x <= SPARKLINE_WIDTH and 0 <= y <= SPARKLINE_HEIGHT for x, y in drawn)
    assert drawn[2][1] < drawn[0][1] < drawn[1][1]


def test_noise_looks_level() -> None:
    flat = sparkline([400 * MB, 401 * MB, 400 * MB])
    heights = [y for _, y in points(flat.line)]
    assert max(heights) - min(heights) < 2
    assert flat.direction == "level"


@pytest.mark.parametrize(
    ("sizes", "direction"), [([1, 2], "up"), ([200, 100], "down"), ([0, 0], "level"), ([5], "level")]
)
def test_a_sparkline_knows_its_direction(sizes: list[int], direction: str) -> None:
    assert sparkline(sizes).direction == direction


def test_nothing_is_drawn_of_nothing() -> None:
    assert sparkline([]) is None


def test_a_dockerfile_is_cut_into_coloured_spans() -> None:
    assert dockerfile_spans('# hello\nRUN --mount=type=cache \\\n  COPY "$X" $Y\n') == [
        Span("comment", "# hello\n"),
        Span("instruction", "RUN"),
        Span("plain", " "),
        Span("flag", "--mount"),
        Span("plain", "=type=cache \\\n  COPY "),
        Span("string", '"$X"'),
        Span("plain", " "),
        Span("variable", "$Y"),
        Span("plain", "\n"),
    ]


@pytest.mark.parametrize(
    "text", ["", "\n", "FROM", "RUN 'open", "a\r\nb", "\\", "$", "${", '"\\', "--", "RUN a-b--c\x0b"]
)
def test_spans_joined_are_the_text(text: str) -> None:
    assert "".join(span.text for span in dockerfile_spans(text)) == text


@pytest.mark.parametrize(
    "text", ['"' * 50_000, "$" * 50_000, "${" * 50_000, "'\\" * 50_000, "-" * 50_000, " --" * 50_000, '"\\' * 50_000]
)
def test_hostile_text_is_not_slow(text: str) -> None:
    started = time.process_time()
    dockerfile_spans(f"RUN {text}")
    assert time.process_time() - started < 2
