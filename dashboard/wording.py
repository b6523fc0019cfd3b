"""Figures as people read them. Decimal units: 1 MB is 10^6 bytes."""

from __future__ import annotations

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
# Nobody changes a Dockerfile for less.
NEGLIGIBLE_BYTES = 100_000
RUNTIMES = {"node": "Node.js", "nginx": "nginx", "php": "PHP", "dotnet": ".NET", "c": "C or C++"}
SPANS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
MODES = {"repack": "Repack", "rebuild": "Rebuild"}
# A name, and what it means.
TIERS = {
    "cleaned": ("Cleaned", "the same base, waste removed"),
    "slim": ("Slim", "a small base with a shell"),
    "distroless": ("Distroless", "the runtime alone, no shell"),
    "scratch": ("Scratch", "no base at all"),
}
UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def megabytes(size_bytes: int) -> str:
    """Three significant figures with the unit that suits: ``1.41 GB``, ``330 MB``, ``12.3 kB``, ``0 B``."""
    sign, size = (MINUS if size_bytes < 0 else ""), abs(size_bytes)
    # 999,600 bytes are 1 MB, not 1000 kB: round first, then choose the unit.
    unit, name = next(((unit, name) for unit, name in UNITS if size >= unit * 0.9995), (1, "B"))
    return f"{sign}{_significant(size / unit)}{NO_BREAK_SPACE}{name}"


def signed(size_bytes: int) -> str:
    """A difference: ``+84 MB``, ``−2 MB``, ``0 B``."""
    return f"+{megabytes(size_bytes)}" if size_bytes > 0 else megabytes(size_bytes)


def deviation(percent: float) -> str:
    """A signed share: ``−2 %``, ``+11 %``, ``±0 %``."""
    rounded = round(percent)
    sign = "±" if rounded == 0 else MINUS if rounded < 0 else "+"
    return f"{sign}{abs(rounded):,}{NO_BREAK_SPACE}%"


def _significant(value: float) -> str:
    decimals = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def saving(size_bytes: int) -> str:
    """What could be saved, where crumbs are no figure: ``nothing``, ``< 0.1 MB``, ``341 MB``."""
    if size_bytes <= 0:
        return "nothing"
    if size_bytes < NEGLIGIBLE_BYTES:
        return f"<{NO_BREAK_SPACE}0.1{NO_BREAK_SPACE}MB"
    return megabytes(size_bytes)


def runtime(name: str) -> str:
    """``python`` as people write it: ``Python``, but ``Node.js`` and ``nginx``."""
    return RUNTIMES.get(name, name.title())


def mode(name: str) -> str:
    """How a suggestion gets there: ``Repack``."""
    return MODES.get(name, name.title())


def tier(name: str) -> str:
    """A rung of the ladder: ``Slim``."""
    return TIERS.get(name, (name.title(), ""))[0]


def duration(seconds: float) -> str:
    """``850 ms``, ``12.4 s``, ``3 min 20 s``, ``1 h 5 min``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}{NO_BREAK_SPACE}ms"
    if seconds < 60:
        return f"{seconds:.1f}{NO_BREAK_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{NO_BREAK_SPACE}min {rest}{NO_BREAK_SPACE}s"
    return f"{minutes // 60}{NO_BREAK_SPACE}h {minutes % 60}{NO_BREAK_SPACE}min"


def span(seconds: float) -> str:
    """A length of time in its largest unit: ``6 hours``, ``90 minutes``, ``1 day``, ``45 seconds``."""
    whole = max(round(seconds), 1)
    # 90 minutes are neither 1 hour nor 2: a unit that does not divide the time is used from its double on.
    unit, name = next((unit, name) for unit, name in SPANS if whole % unit == 0 or whole >= 2 * unit)
    number = round(whole / unit)
    return f"{number}{NO_BREAK_SPACE}{name}{'' if number == 1 else 's'}"


def ahead(seconds: float) -> str:
    """How far something lies ahead: ``in 3 minutes``, ``any moment``."""
    return f"in {span(seconds)}" if seconds >= 1 else "any moment"


def left(seconds: float) -> str:
    """A guess of the time that something still takes, no more exact than it can be: ``about 3 minutes``."""
    return f"about {span(seconds)}" if seconds >= 10 else "a few seconds"


def rate(bytes_per_second: float) -> str:
    """``12.3 MB/s``."""
    return f"{megabytes(round(bytes_per_second))}/s"
