"""Rows for the dashboard's tests. Every argument has a plain default; what a test is about it names."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any

from django.contrib.auth.models import User

from fleet.models import (
    Analysis,
    Finding,
    Image,
    ImageLayer,
    Layer,
    Registry,
    Scan,
    Service,
    SizePolicy,
    Snapshot,
    Suggestion,
    Violation,
)

MB = 10**6
FIRST_DAY = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
DOCKERFILE = """# syntax=docker/dockerfile:1
FROM registry.example.com/app@sha256:0123 AS original

FROM python:3.12-slim
COPY --from=original /app /app
CMD ["python", "-m", "app"]
"""
_numbers = count(1)


def digest(text: object) -> str:
    return f"sha256:{sha256(str(text).encode()).hexdigest()}"


def make_user(name: str = "ada", *, staff: bool = False, **fields: Any) -> User:
    return User.objects.create_user(name, password="secret-enough", is_staff=staff, is_superuser=staff, **fields)


def make_registry(name: str = "", **fields: Any) -> Registry:
    name = name or f"registry {next(_numbers)}"
    return Registry.objects.create(name=name, **{"url": "https://registry.example.com", **fields})


def make_image(steps: tuple[str, ...] = ("ADD rootfs.tar /", "COPY . /app"), *, layer_bytes: int = 50 * MB) -> Image:
    """An image with one layer a step."""
    number = next(_numbers)
    diff_ids = [digest((number, at)) for at in range(len(steps))]
    config = {
        "os": "linux",
        "architecture": "amd64",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created_by": step} for step in steps],
    }
    image = Image.objects.create(
        digest=digest(number),
        media_type="application/vnd.oci.image.manifest.v1+json",
        platform="linux/amd64",
        created_at=FIRST_DAY,
        compressed_bytes=layer_bytes * len(steps),
        unpacked_bytes=layer_bytes * len(steps) * 3,
        manifest=b"{}",
        config=json.dumps(config).encode(),
    )
    for position, diff_id in enumerate(diff_ids):
        layer = Layer.objects.create(
            digest=digest(("blob", diff_id)),
            diff_id=diff_id,
            media_type="application/vnd.oci.image.layer.v1.tar+gzip",
            compressed_bytes=layer_bytes,
            unpacked_bytes=layer_bytes * 3,
            entries=1234,
            index=b"large",
        )
        ImageLayer.objects.create(image=image, layer=layer, position=position)
    return image


def make_service(
    repository: str = "",
    *,
    registry: Registry | None = None,
    sizes: tuple[int, ...] = (310 * MB, 402 * MB),
    savings: int | None = None,
    image: Image | None = None,
    tags: tuple[str, ...] = (),
    **fields: Any,
) -> Service:
    """A weighed service with one snapshot for each of ``sizes``, one week apart, tagged 1.0, 1.1, …"""
    values = {
        "repository": repository or f"team/service-{next(_numbers)}",
        "platform": "linux/amd64",
        "owner": "payments",
        "runtime": "python",
        "runtime_version": "3.12.4",
        "compressed_bytes": sizes[-1],
        "unpacked_bytes": sizes[-1] * 3,
        "savings_compressed_bytes": savings,
        "savings_unpacked_bytes": None if savings is None else savings * 3,
        "savings_percent": None if savings is None else 100 * savings / sizes[-1],
        "savings_source": "" if savings is None else Service.SavingsSource.SUGGESTION,
        "sparkline": list(sizes),
        "checked_at": FIRST_DAY,
    }
    service = Service.objects.create(registry=registry or make_registry(), **(values | fields))
    image = image or make_image()
    for at, size in enumerate(sizes):
        newest = at == len(sizes) - 1
        service.snapshot = Snapshot.objects.create(
            service=service,
            image=image,
            tag=tags[at] if tags else f"1.{at}",
            head_digest=image.digest,
            taken_at=FIRST_DAY + timedelta(weeks=at),
            compressed_bytes=size,
            unpacked_bytes=size * 3 if newest else None,
        )
    service.save()
    return service


def make_analysis(service: Service, **fields: Any) -> Analysis:
    values = {
        "ruleset": 1,
        "runtime": service.runtime,
        "runtime_version": service.runtime_version,
        "base_layers": 1,
        "reclaimable_unpacked_bytes": 90 * MB,
        "reclaimable_compressed_bytes": 30 * MB,
        "packages": [{"ecosystem": "python", "name": "django", "version": "5.2", "bytes": 30 * MB}],
    }
    return Analysis.objects.create(image=service.snapshot.image, **(values | fields))


def make_finding(analysis: Analysis, **fields: Any) -> Finding:
    values = {
        "rule": "apt-archives",
        "title": "Package archives left behind",
        "advice": "Remove them in the step that downloads them.",
        "unpacked_bytes": 90 * MB,
        "compressed_bytes": 30 * MB,
        "layer": 1,
        "created_by": "RUN apt-get update && apt-get install -y gcc",
        "paths": ["/var/cache/apt/archives/gcc.deb"],
        "path_count": 1,
    }
    return Finding.objects.create(analysis=analysis, **(values | fields))


def make_suggestion(service: Service, mode: str = "repack", **fields: Any) -> Suggestion:
    values = {
        "image": service.snapshot.image,
        "tier": "slim",
        "dockerfile": DOCKERFILE,
        "base_reference": "docker.io/library/python:3.12-slim",
        "base_source": "table",
        "base_unpacked_bytes": 130 * MB,
        "base_compressed_bytes": 45 * MB,
        "before_unpacked_bytes": 1200 * MB,
        "before_compressed_bytes": 402 * MB,
        "after_unpacked_bytes": 300 * MB,
        "after_compressed_bytes": 100 * MB,
        "gates": [{"name": "entry point", "passed": True, "detail": "python is in the base."}],
        "reasons": ["Compilers stay in the build stage."],
        "notes": ["Try it before you ship it."],
        "usable": True,
        "recommended": mode == "rebuild",
    }
    return Suggestion.objects.create(service=service, mode=mode, **(values | fields))


def make_policy(name: str = "", **fields: Any) -> SizePolicy:
    name = name or f"policy {next(_numbers)}"
    return SizePolicy.objects.create(name=name, **{"fail_compressed_bytes": 300 * MB, **fields})


def make_violation(service: Service, policy: SizePolicy, **fields: Any) -> Violation:
    values = {"level": "fail", "kind": "compressed", "measured_bytes": 402 * MB, "limit_bytes": 300 * MB}
    return Violation.objects.create(service=service, policy=policy, **(values | fields))


def make_scan(registry: Registry, **fields: Any) -> Scan:
    values = {
        "trigger": Scan.Trigger.SCHEDULE,
        "status": Scan.Status.DONE,
        "started_at": FIRST_DAY,
        "finished_at": FIRST_DAY + timedelta(seconds=42),
        "services": 3,
        "services_done": 3,
    }
    return Scan.objects.create(registry=registry, **(values | fields))
