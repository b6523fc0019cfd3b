"""The fleet as a Django application."""

from django.apps import AppConfig


class FleetConfig(AppConfig):
    name = "fleet"
    verbose_name = "Fleet"

    def ready(self) -> None:
        """Make ours the Celery application that every process sends its tasks through, the web server's too."""
        import fleet.celery  # noqa: F401
