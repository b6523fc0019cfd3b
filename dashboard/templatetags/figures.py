"""Sizes, icons and small drawings for templates. Every value from outside goes through ``format_html``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from dashboard import charts, progress, wording
from dashboard.highlight import Span
from fleet.analysis.ownership import KNOWN_BY
from fleet.dockerfile.adoption import DiffLine
from fleet.models import Analysis, Scan, Service

register = template.Library()


@register.filter
def megabytes(size_bytes: int | None) -> SafeString | str:
    """The size with the exact bytes in its title; a dash where it is unknown."""
    if size_bytes is None:
        return format_html('<span class="bytes text-secondary" title="{}">–</span>', "not measured")
    return format_html(
        '<span class="bytes" title="{} bytes">{}</span>', f"{size_bytes:,}", wording.megabytes(size_bytes)
    )


@register.filter
def saving(size_bytes: int) -> SafeString:
    """What could be saved, with the exact bytes in its title."""
    return format_html('<span class="bytes" title="{} bytes">{}</span>', f"{size_bytes:,}", wording.saving(size_bytes))


@register.filter
def is_worthwhile(size_bytes: int) -> bool:
    return size_bytes >= wording.NEGLIGIBLE_BYTES


@register.filter
def runtime(name: str) -> str:
    return wording.runtime(name)


@register.filter
def base_known(analysis: Analysis) -> str:
    """How it is known what came with the base."""
    return KNOWN_BY.get(analysis.base_source, "")


@register.filter
def size_text(size_bytes: int | None) -> str:
    """The size as plain text, for attributes and sentences."""
    return "unknown" if size_bytes is None else wording.megabytes(size_bytes)


@register.filter
def growth(delta_bytes: int | None) -> SafeString | str:
    """A signed size, marked as growth or loss."""
    if delta_bytes is None:
        return ""
    if delta_bytes == 0:
        return format_html('<span class="bytes text-secondary">{}</span>', "no change")
    name = "grown" if delta_bytes > 0 else "shrunk"
    return format_html(
        '<span class="bytes {}" title="{} bytes">{}</span>', name, f"{delta_bytes:+,}", wording.signed(delta_bytes)
    )


@register.filter
def percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}{wording.NO_BREAK_SPACE}%"


@register.filter
def at(values: Mapping[str, Any], key: str) -> Any:
    """What a mapping holds under a key; None where it holds nothing."""
    return values.get(key)


@register.filter
def deviation(percent: float) -> str:
    """How far something is from what was promised: ``−2 %``, ``+11 %``, ``±0 %``."""
    return wording.deviation(percent)


@register.filter
def duration(seconds: float | None) -> str:
    return "–" if seconds is None else wording.duration(seconds)


@register.filter
def span(seconds: float | None) -> str:
    return "" if seconds is None else wording.span(seconds)


@register.filter
def left(seconds: float) -> str:
    return wording.left(seconds)


@register.filter
def rate(bytes_per_second: float) -> str:
    return wording.rate(bytes_per_second)


@register.filter
def moment(when: datetime) -> SafeString:
    """When it will be, and how far ahead that is: ``at 12:04, in 3 minutes``; with the day unless that is today."""
    local, now = timezone.localtime(when), timezone.localtime()
    day = "" if local.date() == now.date() else f"on {date_format(local, 'j M')} "
    ahead = wording.ahead((local - now).total_seconds())
    return format_html('{}at <time datetime="{}">{}</time>, {}', day, local.isoformat(), f"{local:%H:%M}", ahead)


@register.filter
def services_of(scan: Scan) -> int:
    return progress.services_of(scan)


@register.filter
def display_name(service: Service) -> str:
    """What people call a service: the name that the registry's rules gave it, else its repository."""
    return service.name or service.repository


@register.filter
def short_digest(digest: str) -> str:
    """The first twelve digits, as engines print them."""
    return digest.partition(":")[2][:12] or digest


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon of the sprite; decorative unless it has a label."""
    role = format_html('role="img" aria-label="{}"', label) if label else format_html('aria-hidden="{}"', "true")
    sprite = static("dist/icons.svg")
    return format_html('<svg class="icon" width="20" height="20" {}><use href="{}#{}"/></svg>', role, sprite, name)


@register.simple_tag
def coloured(spans: Iterable[Span | DiffLine], *, ends_lines: bool = False) -> SafeString:
    """The texts of spans, escaped, each in its kind's colour; with ``ends_lines`` each is a line. A loop in a template
    would take several times as long for a page of Dockerfiles."""
    ending = "\n" if ends_lines else ""
    parts = (
        f"{escape(span.text)}{ending}"
        if span.kind in ("plain", "same")
        else f'<span class="s-{span.kind}">{escape(span.text)}</span>{ending}'
        for span in spans
    )
    return mark_safe("".join(parts))  # noqa: S308 - kinds are our own words, and texts are escaped


@register.inclusion_tag("dashboard/step.html")
def step(created_by: str) -> dict[str, str]:
    """A build step, cut to two lines until it is opened."""
    return {"step": created_by}


@register.inclusion_tag("dashboard/sparkline.html")
def sparkline(sizes: list[int]) -> dict[str, Any]:
    return {
        "sparkline": charts.sparkline(sizes),
        "width": charts.SPARKLINE_WIDTH,
        "height": charts.SPARKLINE_HEIGHT,
    }


@register.inclusion_tag("dashboard/bar.html")
def bar(share: float | None, kind: str = "") -> dict[str, Any]:
    """A horizontal bar of ``share`` percent. Decorative: the figure stands beside it."""
    return {"share": f"{min(max(share or 0, 0), 100):.1f}", "kind": kind}


@register.inclusion_tag("dashboard/bar.html")
def share_bar(part_bytes: int | None, whole_bytes: int | None, kind: str = "save") -> dict[str, Any]:
    """A bar as long as the part is of the whole."""
    return bar(100 * (part_bytes or 0) / whole_bytes if whole_bytes else 0, kind)
