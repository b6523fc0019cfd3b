"""Registries, engines and layouts: the only code that speaks to them. Pure: no Django, no Celery."""
