"""Python services: the usual single-stage Dockerfile in several states of care."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from fleet.sample.debian import ACCOUNTS, GROUPS
from fleet.sample.plan import Plan, Recipe, chowned
from fleet.sample.services.service import Service
from fleet.sample.stacks.distributions import requirements
from fleet.sample.stacks.project import git_history
from fleet.sample.stacks.python import pip_install, python_image, sources
from fleet.sample.story import Release
from fleet.sample.tar import File, whiteout
from fleet.sample.trees import blob, shares, text, tree

CHECKOUT = (
    "Django",
    "djangorestframework",
    "gunicorn",
    "whitenoise",
    "psycopg2",
    "celery",
    "boto3",
    "requests",
    "cryptography",
    "pytest",
    "mypy",
    "ipython",
)
CATALOG = ("fastapi", "uvicorn", "SQLAlchemy", "psycopg2", "redis", "requests", "cryptography")
REPORTS = ("pandas", "scipy", "pyarrow", "openpyxl", "boto3", "celery", "requests")
FORECAST = ("pandas", "scikit-learn", "fastapi", "uvicorn", "requests")
INVOICES = ("Django", "gunicorn", "reportlab", "weasyprint", "lxml", "psycopg2", "celery", "requests")
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - an argument in a generated config
MANAGE = """#!/usr/bin/env python
import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{package}.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
"""


def django_project(root: str, package: str, names: tuple[str, ...], build: int) -> Iterator[File]:
    """A Django project as it is checked out; ``build`` tells releases apart."""
    yield text(f"{root}/manage.py", MANAGE.format(package=package), 0o755)
    yield text(f"{root}/requirements.txt", requirements_text(names))
    yield text(f"{root}/README.md", f"# {package}\n\nBuild {build}.\n")
    yield text(f"{root}/{package}/__init__.py", "")
    yield text(f"{root}/{package}/settings.py", "DEBUG = False\nROOT_URLCONF = 'urls'\n")
    yield text(
        f"{root}/{package}/wsgi.py",
        "from django.core.wsgi import get_wsgi_application\n\napplication = get_wsgi_application()\n",
    )
    for app in ("accounts", "orders", "api"):
        yield from tree(f"{root}/{app}", 60, 420_000 + 9_000 * build, suffix=".py", seed=build)
        yield from tree(f"{root}/{app}/templates/{app}", 18, 90_000, suffix=".html")
    yield from tree(f"{root}/locale", 16, 610_000, suffix=".po")
    yield from tree(f"{root}/static", 40, 2_300_000, suffix=".js", seed=build)
    yield from tree(f"{root}/tests", 45, 360_000, suffix="_test.py", seed=build)


def requirements_text(names: tuple[str, ...]) -> str:
    return "".join(f"{one.name}=={one.version}\n" for one in requirements(names))


def _requirements_file(names: tuple[str, ...]) -> Iterator[File]:
    yield text("app/requirements.txt", requirements_text(names))


def _collected(root: str, build: int) -> Iterator[File]:
    yield from tree(f"{root}/staticfiles", 40, 2_300_000, suffix=".js", seed=build)
    yield from tree(f"{root}/staticfiles/admin", 60, 2_100_000, suffix=".css")


# shop/checkout-api ---------------------------------------------------------------------------------------------------


def _checkout_files(build: int) -> Iterator[File]:
    yield from django_project("app", "shop", CHECKOUT, build)
    yield from git_history("app", 7_000_000 + 800_000 * build)
    yield text("app/Dockerfile", CHECKOUT_DOCKERFILE)
    if build >= 7:
        # Somebody committed recorded payloads for the tests.
        yield from tree("app/tests/fixtures", 24, 47_000_000, suffix=".json", seed=3)


def checkout_api(release: Release, base: datetime) -> Plan:
    plan = python_image(base, slim=False).at(base, "classic")
    plan = plan.apt("gcc libpq-dev postgresql-client-15 vim", keep_lists=True, flags="").workdir("/app")
    plan = plan.at(release.revision_moment)
    plan = plan.copy("requirements.txt", "/app/", _requirements_file, CHECKOUT)
    plan = plan.run("pip install -r requirements.txt", pip_install, CHECKOUT, release.revision, True)
    plan = plan.at(release.moment)
    source = Recipe(_checkout_files, (release.number,), release.moment)
    plan = plan.copy(".", "/app", _checkout_files, release.number)
    plan = plan.run("python manage.py collectstatic --noinput", _collected, "app", release.number)
    plan = plan.run("useradd --uid 1000 app && chown -R app:app /app", chowned_with_user, source, 1000)
    check = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz')"
    plan = (
        plan.user("1000")
        .env(DJANGO_SETTINGS_MODULE="shop.settings")
        .expose(8000)
        .healthcheck("CMD", "python", "-c", check)
    )
    return plan.cmd("gunicorn", "shop.wsgi:application", "--bind", "0.0.0.0:8000", "--workers", "3")


def chowned_with_user(recipe: Recipe, uid: int) -> Iterator[File]:
    yield from chowned(recipe, uid)
    yield text("etc/passwd", f"{ACCOUNTS}app:x:{uid}:{uid}::/home/app:/bin/sh\n")
    yield text("etc/group", f"{GROUPS}app:x:{uid}:\n")


CHECKOUT_DOCKERFILE = """FROM python:3.11
RUN apt-get update && apt-get install -y gcc libpq-dev postgresql-client-15 vim
WORKDIR /app
COPY requirements.txt /app/
RUN pip install -r requirements.txt
COPY . /app
RUN python manage.py collectstatic --noinput
RUN useradd --uid 1000 app && chown -R app:app /app
USER 1000
ENV DJANGO_SETTINGS_MODULE=shop.settings
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz')"]
CMD ["gunicorn", "shop.wsgi:application", "--bind", "0.0.0.0:8000", "--workers", "3"]
"""


# shop/catalog --------------------------------------------------------------------------------------------------------


def _catalog_files(build: int) -> Iterator[File]:
    yield text("srv/catalog/__init__.py", "")
    yield text("srv/catalog/main.py", f"from fastapi import FastAPI\n\napp = FastAPI(version='{build}')\n")
    yield from tree("srv/catalog", 70, 510_000, suffix=".py", seed=build)
    yield from tree("srv/catalog/data", 12, 3_400_000, suffix=".json", seed=build)
    yield text("srv/pyproject.toml", '[project]\nname = "catalog"\n')


def catalog(release: Release, base: datetime) -> Plan:
    plan = python_image(base, slim=True).env(PYTHONUNBUFFERED="1")
    plan = plan.apt("build-essential libpq-dev").workdir("/srv").at(release.revision_moment)
    plan = plan.run("pip install --no-cache-dir -r requirements.txt", pip_install, CATALOG, release.revision, False)
    plan = plan.at(release.moment).copy(".", ".", _catalog_files, release.number).user("65534").expose(8080)
    return plan.cmd("uvicorn", "catalog.main:app", "--host", ANY_ADDRESS, "--port", "8080")


# data/report-worker --------------------------------------------------------------------------------------------------


def _report_files(build: int) -> Iterator[File]:
    yield text("app/tasks.py", f"from celery import Celery\n\napp = Celery('reports-{build}')\n")
    yield text("app/requirements.txt", requirements_text(REPORTS))
    yield from tree("app/reports", 90, 700_000, suffix=".py", seed=build)
    yield from tree("app/notebooks", 14, 5_000_000 + 900_000 * build, suffix=".ipynb", seed=build)
    yield from git_history("app", 12_000_000)


def _report_samples() -> Iterator[File]:
    """The commit that made it jump: a year of sample exports."""
    yield from tree("app/samples", 18, 96_000_000, suffix=".csv")
    yield blob("app/samples/full-year.parquet", 41_000_000, head=b"PAR1")


def report_worker(release: Release, base: datetime) -> Plan:
    plan = python_image(base, slim=False).at(release.revision_moment, "classic").workdir("/app")
    plan = plan.run("pip install -r requirements.txt", pip_install, REPORTS, release.revision, True)
    if release.number >= 5:
        plan = plan.copy("samples/", "/app/samples", _report_samples)
    plan = plan.at(release.moment).copy(".", "/app", _report_files, release.number)
    return plan.cmd("celery", "-A", "tasks", "worker", "--loglevel", "INFO")


# data/forecast -------------------------------------------------------------------------------------------------------


def _forecast_files(build: int) -> Iterator[File]:
    yield text("srv/forecast/__init__.py", "")
    yield text("srv/forecast/api.py", f"from fastapi import FastAPI\n\napp = FastAPI(version='{build}')\n")
    yield from tree("srv/forecast", 48, 380_000, suffix=".py", seed=build)
    yield blob("srv/models/demand.onnx", 16_000_000 + 40_000 * build)


def forecast(release: Release, base: datetime) -> Plan:
    """On the full image with pip's cache until a release moved it to slim."""
    slim = release.number >= 5
    plan = python_image(base, slim=slim).at(release.revision_moment, "buildkit").workdir("/srv")
    flag = " --no-cache-dir" if slim else ""
    plan = plan.run(f"pip install{flag} -r requirements.txt", pip_install, FORECAST, release.revision, not slim)
    plan = plan.at(release.moment).copy(".", ".", _forecast_files, release.number).user("65534").expose(8080)
    return plan.cmd("uvicorn", "forecast.api:app", "--host", ANY_ADDRESS, "--port", "8080")


# billing/invoices ----------------------------------------------------------------------------------------------------


def _invoice_files(build: int) -> Iterator[File]:
    yield from django_project("app", "billing", INVOICES, build)
    names = [(f"bill_{i}.py", size) for i, size in enumerate(shares(240_000, 30, build))]
    yield from sources("app/orders", names, compiled=True)
    # Bytecode of a developer's other interpreter.
    for name, size in names:
        yield blob(f"app/orders/__pycache__/{name.removesuffix('.py')}.cpython-312.pyc", size, "machine")
    yield from tree("app/tests/golden", 30, 6_000_000 + 2_300_000 * build, suffix=".pdf", matter="packed")


def _invoice_tests_deleted(build: int) -> Iterator[File]:
    yield whiteout("app/tests")
    yield whiteout("root/.cache")
    yield text("app/BUILD", f"{build}\n")


def invoices(release: Release, base: datetime) -> Plan:
    plan = python_image(base, slim=False)
    plan = plan.apt("build-essential libpq-dev fonts-dejavu-extra fontconfig libpango-1.0-0 locales", keep_lists=True)
    plan = plan.workdir("/app").at(release.revision_moment)
    plan = plan.run("pip install -r requirements.txt", pip_install, INVOICES, release.revision, True)
    plan = plan.at(release.moment).copy(".", ".", _invoice_files, release.number)
    # Deleting in a later step hides the files and saves nothing.
    plan = plan.run("rm -rf /app/tests /root/.cache && date > BUILD", _invoice_tests_deleted, release.number)
    plan = plan.env(DJANGO_SETTINGS_MODULE="billing.settings").expose(8000)
    return plan.cmd("gunicorn", "billing.wsgi:application", "--bind", "0.0.0.0:8000")


SERVICES = (
    Service(
        "shop/checkout-api",
        "Team Checkout",
        "creeping, then a jump: test payloads were committed",
        checkout_api,
        10,
        24,
        first="1.9.3",
        revisions=(4,),
    ),
    Service("shop/catalog", "Team Catalog", "steady", catalog, 12, 19, first="3.2.0", revisions=(3, 8)),
    Service("data/report-worker", "Team Insights", "a jump: sample exports", report_worker, 8, 30, "date"),
    Service(
        "data/forecast",
        "Team Insights",
        "an improvement: moved to a slim base",
        forecast,
        9,
        26,
        first="0.14.0",
        revisions=(5,),
    ),
    Service(
        "billing/invoices",
        "Team Billing",
        "creeping: golden files grow",
        invoices,
        11,
        21,
        "date",
        revisions=(6,),
        latest=False,
    ),
)
