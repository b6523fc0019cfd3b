"""Routes of the dashboard. All but ``healthz`` and ``events`` need a signed-in user (``LoginRequiredMiddleware``)."""

from django.urls import path

from dashboard.views import (
    comparison,
    events,
    health,
    policies,
    ranking,
    registries,
    scans,
    service,
    suggestion,
    verification,
)

urlpatterns = [
    path("", ranking.ranking, name="ranking"),
    path("forecast/", ranking.forecast, name="forecast"),
    path("ranking.csv", ranking.ranking_csv, name="ranking-csv"),
    path("services/<int:pk>/", service.service, name="service"),
    path("services/<int:pk>/compare/", comparison.comparison, name="service-compare"),
    path("services/<int:pk>/scan/", service.service_scan, name="service-scan"),
    path("suggestions/<int:pk>/Dockerfile", suggestion.dockerfile, name="dockerfile"),
    path("suggestions/<int:pk>/Dockerfile.patch", suggestion.dockerfile_patch, name="dockerfile-patch"),
    path("suggestions/<int:pk>/SUMMARY.md", suggestion.summary, name="suggestion-summary"),
    path("suggestions/<int:pk>/buildkit/Dockerfile", suggestion.buildkit_dockerfile, name="buildkit-dockerfile"),
    path("suggestions/<int:pk>/verify/", verification.verify, name="verify"),
    path("verifications/<int:pk>/", verification.verification, name="verification"),
    path("verifications/<int:pk>/cancel/", verification.verification_cancel, name="verification-cancel"),
    path("registries/", registries.registries, name="registries"),
    path("registries/<int:pk>/", registries.registry, name="registry"),
    path("registries/<int:pk>/test/", registries.registry_test, name="registry-test"),
    path("registries/<int:pk>/scan/", registries.registry_scan, name="registry-scan"),
    path("scans/", scans.scans, name="scans"),
    path("scans/<int:pk>/", scans.scan, name="scan"),
    path("scans/<int:pk>/cancel/", scans.scan_cancel, name="scan-cancel"),
    path("policies/", policies.policies, name="policies"),
    path("events/<int:registry>/", events.push_events, name="push-events"),
    path("events/<int:registry>/<str:token>/", events.push_events, name="push-events-by-url"),
    path("healthz", health.healthz, name="healthz"),
]
