"""Analyses and suggestions for people at a terminal. Text from images is escaped before it is shown."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fleet.analysis.findings import Analysis, Observation, Severity
from fleet.analysis.ownership import KNOWN_BY, Base
from fleet.analysis.redaction import escape_controls
from fleet.dockerfile.suggestion import Gate, Suggestion
from fleet.image.loading import LoadedImage
from fleet.image.sizes import Sizes

_PIPE_COLUMNS = 140
_PACKAGES_SHOWN = 10
_PATHS_SHOWN = 3
_STEP_CHARACTERS = 300
_STYLES: Mapping[Severity, str] = {"danger": "bold red", "warning": "yellow", "info": ""}


def print_analysis(out: OutputWrapper, reference: str, image: LoadedImage, analysis: Analysis) -> None:
    runtime = analysis.runtime
    created = f", created {image.config.created:%Y-%m-%d}" if image.config.created else ""
    estimated = " (compressed is estimated)" if image.compressed_estimated else ""
    lines: list[Text | Table] = [
        escaped(reference, "bold"),
        escaped(f"{image.descriptor.digest}, {image.config.platform}{created}"),
        escaped(f"{_pair(image.sizes)}{estimated}"),
        escaped(f"runtime {runtime.name} {runtime.version}".rstrip() + f": {runtime.evidence}"),
        *_base_lines(analysis.base),
        Text(),
        _layer_table(analysis),
        *([_finding_table(analysis)] if analysis.findings else []),
        *_observation_lines(analysis.observations, date.today()),
        *([_package_table(analysis)] if analysis.packages else []),
        escaped(f"Reclaimable: {_pair(analysis.reclaimable)}", "bold"),
    ]
    print_lines(out, lines)


def print_suggestion(out: OutputWrapper, suggestion: Suggestion) -> None:
    """Everything but the Dockerfile itself."""
    base = suggestion.base
    source = f"sizes from our table of {base.as_of}" if base.source == "table" else "sizes from its registry"
    lines = [escaped(f"{suggestion.mode} to {suggestion.tier} on {base.reference} ({source})", "bold")]
    if not suggestion.usable:
        lines.append(Text("Do not use this Dockerfile as it is: a check failed, see below.", "bold red"))
    lines += [
        escaped(f"before  {_pair(suggestion.before)}"),
        escaped(f"after   {_pair(suggestion.after)} (estimated)"),
        escaped(f"saves   {_pair(suggestion.savings)}, {_percent(suggestion)} of the pull"),
        *(_gate(gate) for gate in suggestion.gates),
        *(escaped(f"+ {reason}") for reason in suggestion.reasons),
        *(escaped(f"! {note}") for note in suggestion.notes),
    ]
    print_lines(out, lines)


def bytes_for_people(count: int) -> str:
    """Decimal units: MB is 10^6 bytes."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if abs(count) >= factor:
            return f"{count / factor:.{2 if unit == 'GB' else 1}f} {unit}"
    return f"{count} B"


def _pair(sizes: Sizes) -> str:
    compressed, unpacked = bytes_for_people(sizes.compressed_bytes), bytes_for_people(sizes.unpacked_bytes)
    return f"{compressed} compressed, {unpacked} unpacked"


def _percent(suggestion: Suggestion) -> str:
    before = suggestion.before.compressed_bytes
    return f"{100 * suggestion.savings.compressed_bytes / before:.0f} %" if before else "0 %"


def _gate(gate: Gate) -> Text:
    mark, style = ("passed", "green") if gate.passed else ("FAILED", "red")
    return escaped(f"{mark}  {gate.name}: {gate.detail}", style)


def _base_lines(base: Base) -> Iterator[Text]:
    if base.layers or base.name:
        layers = f"{base.layers} layer{'' if base.layers == 1 else 's'}" if base.layers else "layers unknown"
        known = f", {KNOWN_BY[base.source]}" if base.source else ""
        yield escaped(f"base {base.name or 'without a name'}: {layers}{known}")


def _layer_table(analysis: Analysis) -> Table:
    table = make_table("Layers", ["#", "compressed", "unpacked", "entries"], ["of", "step"])
    for position, layer in enumerate(analysis.layers):
        table.add_row(
            str(position),
            bytes_for_people(layer.sizes.compressed_bytes),
            bytes_for_people(layer.sizes.unpacked_bytes),
            str(layer.entries),
            "base" if layer.base else "yours",
            escaped(layer.created_by[:_STEP_CHARACTERS]),
        )
    return table


def _finding_table(analysis: Analysis) -> Table:
    table = make_table("Findings", ["compressed", "unpacked", "layer"], ["what", "where"])
    told: set[str] = set()
    for finding in analysis.findings:
        what = Text(finding.title)
        if finding.advice not in told:
            told.add(finding.advice)
            what.append(f"\n{finding.advice}", "dim")
        more = finding.path_count - _PATHS_SHOWN
        where = [*finding.paths[:_PATHS_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        table.add_row(
            bytes_for_people(finding.sizes.compressed_bytes),
            bytes_for_people(finding.sizes.unpacked_bytes),
            str(finding.layer),
            what,
            _lines(where),
        )
    return table


def _observation_lines(observations: Iterable[Observation], today: date) -> Iterator[Text]:
    told = [(severity, each) for each in observations if (severity := each.severity_on(today))]
    for severity, each in told:
        yield escaped(f"{severity:<7}  {each.title}: {each.told_on(today)}", _STYLES[severity])
        yield escaped(f"         {each.advice}", "dim")
    if told:
        yield Text()


def _package_table(analysis: Analysis) -> Table:
    counts = Counter(package.ecosystem for package in analysis.packages)
    title = "Packages: " + ", ".join(f"{count} {escape_controls(name)}" for name, count in counts.most_common())
    table = make_table(title, ["unpacked"], ["largest"])
    largest = sorted(analysis.packages, key=lambda package: -package.unpacked_bytes)[:_PACKAGES_SHOWN]
    for package in largest:
        name = escaped(f"{package.name} {package.version} ({package.ecosystem})")
        table.add_row(bytes_for_people(package.unpacked_bytes), name)
    return table


def make_table(title: str, numbers: Iterable[str], words: Iterable[str]) -> Table:
    """A table without lines, the columns of numbers first."""
    table = Table(title=Text(title, "bold"), title_justify="left", box=None, pad_edge=False)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    for name in words:
        table.add_column(name, overflow="fold")
    return table


def escaped(text: str, style: str = "") -> Text:
    """Text from an image, fit for a terminal."""
    return Text(escape_controls(text), style)


def _lines(lines: Iterable[str]) -> Text:
    return Text("\n").join(escaped(line) for line in lines)


def print_lines(out: OutputWrapper, lines: Iterable[Text | Table]) -> None:
    """Draws into memory first: Django's wrapper ends every write with a newline of its own."""
    on_terminal = out.isatty()
    columns = shutil.get_terminal_size().columns if on_terminal else _PIPE_COLUMNS
    console = Console(force_terminal=on_terminal, width=columns, markup=False, highlight=False, emoji=False)
    with console.capture() as drawn:
        for line in lines:
            # Sentences are left to the terminal to wrap, so that files and pipes get them whole.
            console.print(line, soft_wrap=isinstance(line, Text))
    out.write(drawn.get(), style_func=str)
