"""The Django admin: where registries, policies and what people say of services are kept. Scans are for reading."""

from django.contrib import admin

from fleet.admin.base_rule import BaseRuleAdmin
from fleet.admin.policy import SizePolicyAdmin
from fleet.admin.prices import PricesAdmin
from fleet.admin.registry import RegistryAdmin
from fleet.admin.scan import ScanAdmin
from fleet.admin.service import ServiceAdmin
from fleet.admin.verification import EngineAdmin, ServiceProbeAdmin, VerificationAdmin

__all__ = [
    "BaseRuleAdmin",
    "EngineAdmin",
    "PricesAdmin",
    "RegistryAdmin",
    "ScanAdmin",
    "ServiceAdmin",
    "ServiceProbeAdmin",
    "SizePolicyAdmin",
    "VerificationAdmin",
]

admin.site.site_header = "Plimsoll administration"
admin.site.site_title = "Plimsoll"
admin.site.index_title = "Registries, policies, services"
