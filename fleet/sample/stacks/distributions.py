"""The Python distributions that the services install, with the sizes and libraries of their wheels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Distribution:
    """What pip installs. ``tests`` is the part of ``kib`` that lies in ``tests``. ``extensions`` are (module, KiB,
    libraries it needs); ``bundled`` are libraries that its wheel brings, as auditwheel names them."""

    name: str
    version: str
    package: str
    files: int
    kib: int
    requires: tuple[str, ...] = ()
    extensions: tuple[tuple[str, int, tuple[str, ...]], ...] = ()
    bundled: tuple[tuple[str, int], ...] = ()
    scripts: tuple[str, ...] = ()
    tests: int = 0


DISTRIBUTIONS = {
    one.name: one
    for one in (
        Distribution("Django", "5.1.4", "django", 420, 15_800, ("asgiref", "sqlparse"), scripts=("django-admin",)),
        Distribution("asgiref", "3.8.1", "asgiref", 14, 120),
        Distribution("sqlparse", "0.5.3", "sqlparse", 18, 260, scripts=("sqlformat",)),
        Distribution("djangorestframework", "3.15.2", "rest_framework", 110, 3_900, ("Django",)),
        Distribution("gunicorn", "23.0.0", "gunicorn", 38, 620, ("packaging",), scripts=("gunicorn",)),
        Distribution("uvicorn", "0.32.1", "uvicorn", 40, 420, ("click", "h11"), scripts=("uvicorn",)),
        Distribution("whitenoise", "6.8.2", "whitenoise", 10, 90),
        Distribution("fastapi", "0.115.6", "fastapi", 48, 900, ("starlette", "pydantic"), scripts=("fastapi",)),
        Distribution("starlette", "0.41.3", "starlette", 36, 410),
        Distribution(
            "pydantic", "2.10.3", "pydantic", 104, 2_900, ("pydantic_core", "typing_extensions", "annotated-types")
        ),
        Distribution("pydantic_core", "2.27.1", "pydantic_core", 3, 160, extensions=(("_pydantic_core", 4_480, ()),)),
        Distribution("typing_extensions", "4.12.2", "typing_extensions", 1, 135),
        Distribution("annotated-types", "0.7.0", "annotated_types", 3, 26),
        Distribution(
            "SQLAlchemy", "2.0.36", "sqlalchemy", 190, 8_700, ("greenlet",),
            extensions=(("cyextension/collections", 1_900, ()), ("cyextension/processors", 520, ())),
        ),
        Distribution("greenlet", "3.1.1", "greenlet", 12, 240, extensions=(("_greenlet", 1_350, ("libstdc++.so.6",)),)),
        Distribution("psycopg2", "2.9.10", "psycopg2", 9, 160, extensions=(("_psycopg", 340, ("libpq.so.5",)),)),
        Distribution("celery", "5.4.0", "celery", 150, 1_900, ("kombu", "redis"), scripts=("celery",)),
        Distribution("kombu", "5.4.2", "kombu", 75, 1_200),
        Distribution("redis", "5.2.1", "redis", 92, 1_500),
        Distribution("requests", "2.32.3", "requests", 18, 230, ("urllib3", "certifi", "idna", "charset-normalizer")),
        Distribution("urllib3", "2.2.3", "urllib3", 34, 480),
        Distribution("certifi", "2024.8.30", "certifi", 4, 310),
        Distribution("idna", "3.10", "idna", 9, 420),
        Distribution(
            "charset-normalizer", "3.4.0", "charset_normalizer", 12, 210, extensions=(("md__mypyc", 270, ()),),
            scripts=("normalizer",),
        ),
        Distribution("click", "8.1.7", "click", 17, 380),
        Distribution("h11", "0.14.0", "h11", 11, 150),
        Distribution("packaging", "24.2", "packaging", 16, 240),
        Distribution(
            "cryptography", "44.0.0", "cryptography", 90, 1_500, extensions=(("hazmat/bindings/_rust", 9_200, ()),)
        ),
        Distribution("boto3", "1.35.76", "boto3", 60, 1_050, ("botocore",)),
        Distribution("botocore", "1.35.76", "botocore", 600, 21_400, ("urllib3",)),
        Distribution(
            "numpy", "1.26.4", "numpy", 420, 22_000,
            extensions=(("core/_multiarray_umath", 7_400, ("libm.so.6",)), ("linalg/_umath_linalg", 230, ())),
            bundled=(("libopenblas64_p-r0-0cf96a72.3.23.dev.so", 35_100), ("libgfortran-040039e1.so.5.0.0", 2_700)),
            scripts=("f2py",), tests=9_300,
        ),
        Distribution(
            "pandas", "2.2.3", "pandas", 900, 31_000, ("numpy", "python-dateutil", "pytz"),
            extensions=(("_libs/algos", 2_100, ()), ("_libs/groupby", 2_500, ()), ("_libs/hashtable", 2_000, ()),
                        ("_libs/tslibs/offsets", 1_100, ())),
            tests=19_500,
        ),
        Distribution(
            "scipy", "1.14.1", "scipy", 700, 36_000, ("numpy",),
            extensions=(("optimize/_highs/_highs_wrapper", 4_300, ("libstdc++.so.6",)),
                        ("sparse/_sparsetools", 4_600, ()), ("special/_ufuncs", 1_600, ()),
                        ("linalg/_flapack", 2_100, ())),
            bundled=(("libscipy_openblas-c128ec02.so", 22_500),), tests=14_800,
        ),
        Distribution(
            "pyarrow", "18.1.0", "pyarrow", 260, 13_000,
            bundled=(("libarrow.so.1801", 58_200), ("libarrow_flight.so.1801", 20_100), ("libparquet.so.1801", 10_600)),
            extensions=(("lib", 4_800, ()), ("_compute", 1_500, ())), tests=3_600,
        ),
        Distribution("python-dateutil", "2.9.0", "dateutil", 18, 560),
        Distribution("pytz", "2024.2", "pytz", 300, 2_700),
        Distribution("openpyxl", "3.1.5", "openpyxl", 180, 1_900),
        Distribution("reportlab", "4.2.5", "reportlab", 130, 8_400, ("pillow",)),
        Distribution(
            "pillow", "11.0.0", "PIL", 100, 2_600, extensions=(("_imaging", 3_600, ()),),
            bundled=(("libtiff-0a86184d.so.6.0.2", 740), ("libwebp-2fd3cdca.so.7.1.9", 760)),
        ),
        Distribution("weasyprint", "63.1", "weasyprint", 90, 1_500, scripts=("weasyprint",)),
        Distribution("lxml", "5.3.0", "lxml", 60, 1_300, extensions=(("etree", 5_300, ()), ("objectify", 2_400, ()))),
        Distribution(
            "scikit-learn", "1.5.2", "sklearn", 520, 24_000, ("scipy",), bundled=(("libgomp-a34b3233.so.1.0.0", 250),),
            extensions=(("tree/_tree", 760, ()), ("_loss/_loss", 2_900, ())), tests=8_200,
        ),
        Distribution("pytest", "8.3.4", "_pytest", 60, 1_700, scripts=("pytest", "py.test")),
        Distribution("mypy", "1.13.0", "mypy", 360, 14_000, extensions=(("checker", 14_600, ()),), scripts=("mypy",)),
        Distribution("ipython", "8.30.0", "IPython", 160, 4_200, scripts=("ipython", "ipython3")),
        Distribution("ruff", "0.8.2", "ruff", 4, 30),
    )
}  # fmt: skip


def requirements(names: Sequence[str]) -> tuple[Distribution, ...]:
    """The distributions by name with all they require."""
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        one = DISTRIBUTIONS[waiting.pop()]
        if one.name not in found:
            found[one.name] = one
            waiting.extend(one.requires)
    return tuple(found[name] for name in sorted(found))


def bumped(one: Distribution, revision: int) -> Distribution:
    """The same distribution some patch releases later."""
    start, _, last = one.version.rpartition(".")
    return replace(one, version=f"{start}.{int(last) + revision}", kib=one.kib + one.kib * revision // 90)
