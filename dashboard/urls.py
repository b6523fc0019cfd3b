"""Routes of the dashboard. All but ``healthz`` need a signed-in user (``LoginRequiredMiddleware``)."""

from django.urls import path

from dashboard.views import health, policies, ranking, registries, scans, service

urlpatterns = [
    path("", ranking.ranking, name="ranking"),
    path("ranking.csv", ranking.ranking_csv, name="ranking-csv"),
    path("services/<int:pk>/", service.service, name="service"),
    path("services/<int:pk>/scan/", service.service_scan, name="service-scan"),
    path("suggestions/<int:pk>/Dockerfile", service.dockerfile, name="dockerfile"),
    path("registries/", registries.registries, name="registries"),
    path("registries/<int:pk>/scan/", registries.registry_scan, name="registry-scan"),
    path("scans/", scans.scans, name="scans"),
    path("scans/<int:pk>/", scans.scan, name="scan"),
    path("policies/", policies.policies, name="policies"),
    path("healthz", health.healthz, name="healthz"),
]
