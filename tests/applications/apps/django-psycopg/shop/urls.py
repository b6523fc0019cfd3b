from datetime import UTC, datetime

import psycopg2
from django.http import HttpResponse
from django.urls import path
from django.utils.timezone import localtime


def home(request):
    then = datetime(2024, 6, 1, tzinfo=UTC)
    return HttpResponse(f"shop, opened {localtime(then).isoformat()}")


def driver(request):
    try:
        psycopg2.connect("host=127.0.0.1 port=1 connect_timeout=1")
    except psycopg2.OperationalError as error:
        return HttpResponse(str(error).splitlines()[0])


urlpatterns = [path("", home), path("driver", driver)]
