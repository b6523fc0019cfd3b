"""One page that fails unless the compiled driver, a time zone, a temporary file and the database all work."""

import tempfile
import zoneinfo

import psycopg2
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path


def home(request: HttpRequest) -> HttpResponse:
    with tempfile.TemporaryFile() as handle, connection.cursor() as cursor:
        handle.write(b"x")
        cursor.execute("CREATE TABLE IF NOT EXISTS visits (id INTEGER)")
        cursor.execute("INSERT INTO visits VALUES (1)")
    zoneinfo.ZoneInfo("Europe/Berlin")
    return HttpResponse(f"libpq {psycopg2.extensions.libpq_version()}")


urlpatterns = [path("", home)]
