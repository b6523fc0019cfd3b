"""The sample fleet: fifteen services of ten teams, and the base images they stand on."""

from __future__ import annotations

from datetime import date

from fleet.sample.plan import Plan
from fleet.sample.services import jvm_services, native_services, node_services, python_services
from fleet.sample.services.service import Service
from fleet.sample.stacks.compiled import golang_image, nginx_image
from fleet.sample.stacks.debian_base import debian_image
from fleet.sample.stacks.java import openjdk_image
from fleet.sample.stacks.node import node_image
from fleet.sample.stacks.python import python_image
from fleet.sample.stacks.ruby import ruby_image
from fleet.sample.story import base_moment

SERVICES: tuple[Service, ...] = (
    *python_services.SERVICES,
    *node_services.SERVICES,
    *jvm_services.SERVICES,
    *native_services.SERVICES,
)
BASES = "library"


def sample_fleet(as_of: date) -> dict[str, dict[str, Plan]]:
    """Plans by repository and tag; the newest release of every service is a few days older than ``as_of``."""
    return {**{service.repository: service.plans(as_of) for service in SERVICES}, **_bases(as_of)}


def _bases(as_of: date) -> dict[str, dict[str, Plan]]:
    moment = base_moment(as_of)
    python, slim = python_image(moment, slim=False), python_image(moment, slim=True)
    node, node_slim = node_image(moment), node_image(moment, slim=True)
    debian, debian_slim = debian_image(moment, slim=False), debian_image(moment, slim=True)
    return {
        f"{BASES}/debian": {"bookworm": debian, "bookworm-slim": debian_slim},
        f"{BASES}/python": _tagged({"3.11": python, "3.11-slim": slim}),
        f"{BASES}/node": _tagged({"20": node, "20-slim": node_slim}),
        f"{BASES}/ruby": {"3.3": ruby_image(moment)},
        f"{BASES}/golang": {"1.23": golang_image(moment)},
        f"{BASES}/openjdk": {"21-jdk-slim": openjdk_image(moment)},
        f"{BASES}/nginx": {"1.27": nginx_image(moment)},
    }


def _tagged(plans: dict[str, Plan]) -> dict[str, Plan]:
    """Each also under the name that says the Debian release."""
    return {**plans, **{f"{tag}-bookworm": plan for tag, plan in plans.items()}}
