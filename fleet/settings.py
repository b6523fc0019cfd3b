"""Settings, all from the environment (docs/configuration.md lists them); secrets also from NAME_FILE.

With nothing set, this is a single-machine installation: SQLite and its keys under ``var/``.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import environ
from cryptography.fernet import Fernet
from kombu.entity import Queue

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()

VAR_DIR = Path(env.str("PLIMSOLL_VAR", default=str(BASE_DIR / "var")))
VAR_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = env.bool("DEBUG", default=False)


def _kept_secret(name: str, make: Callable[[], str]) -> str:
    """A secret from the environment, else one made once and kept under ``var/``, readable by its owner alone."""
    given = env.str(name, default="")
    if given:
        return str(given)
    path = VAR_DIR / f"{name.lower()}.txt"
    if not path.exists():
        _write_once(path, make())
    return path.read_text().strip()


def _write_once(path: Path, text: str) -> None:
    """Write a private file whole or not at all; of several processes that start together the first one wins."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent) as draft:
        draft.write(text)
        draft.flush()
        with contextlib.suppress(FileExistsError):
            os.link(draft.name, path)


SECRET_KEY = _kept_secret("SECRET_KEY", lambda: secrets.token_urlsafe(50))
# The first key encrypts registry credentials, all of them decrypt.
_keys = _kept_secret("PLIMSOLL_SECRET_KEYS", lambda: Fernet.generate_key().decode())
PLIMSOLL_SECRET_KEYS = [key.strip() for key in _keys.split(",") if key.strip()]

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# Behind TLS everything is secure; plain HTTP is for one machine and must be asked for.
INSECURE_COOKIES = env.bool("PLIMSOLL_PLAIN_HTTP", default=DEBUG)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = not INSECURE_COOKIES
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0 if INSECURE_COOKIES else 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not INSECURE_COOKIES
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "fleet",
    "dashboard",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_celery_beat",
    "django_filters",
    "django_htmx",
    "django_tables2",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "dashboard.security.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "fleet.urls"
WSGI_APPLICATION = "fleet.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'plimsoll.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Web, worker and beat write to one file: take the write lock at the start, wait for it, let readers go on.
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 30,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULER = "fleet.beat:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5  # seconds until an admin's new schedule is noticed
# A worker that is silent for so long is taken for dead, and its work for free.
LEASE_SECONDS = env.float("PLIMSOLL_LEASE_SECONDS", default=60.0)
TEND_SECONDS = env.int("PLIMSOLL_TEND_SECONDS", default=15)
# Of so many of its newest images a service keeps the files, to judge them anew and to tell what changed between them.
INDEXED_IMAGES = env.int("PLIMSOLL_INDEXED_IMAGES", default=5)
CELERY_BEAT_SCHEDULE = {
    "Take up scans that rest or lost their worker": {
        "task": "fleet.tasks.tend",
        "schedule": TEND_SECONDS,
        "options": {"expire_seconds": TEND_SECONDS},  # without a worker they would only pile up
    },
    "Drop layer indexes that no image needs, and weigh what services share": {
        "task": "fleet.tasks.keep_house",
        "schedule": timedelta(days=1),
        "options": {"expire_seconds": 3600},
    },
}
CELERY_TIMEZONE = TIME_ZONE = env.str("TIME_ZONE", default="UTC")
CELERY_TASK_DEFAULT_QUEUE = "scan"
# One queue a kind of work, so that one slow registry never blocks the others. A worker takes all of them unless -Q
# says otherwise.
CELERY_TASK_QUEUES = [Queue(name, routing_key=name) for name in ("discovery", "scan", "index", "verify")]
CELERY_TASK_ROUTES = {
    "fleet.tasks.scan_registry": {"queue": "discovery"},
    "fleet.tasks.run": {"queue": "discovery"},
    "fleet.tasks.scan_lane": {"queue": "scan"},
    "fleet.tasks.tend": {"queue": "discovery"},
    "fleet.tasks.read_pushed": {"queue": "discovery"},
    "fleet.tasks.reconsider": {"queue": "index"},
    "fleet.tasks.keep_house": {"queue": "index"},
    "fleet.tasks.verify_suggestion": {"queue": "verify"},
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "ranking"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en-gb"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"without_tokens": {"()": "dashboard.log_format.Formatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "without_tokens"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
