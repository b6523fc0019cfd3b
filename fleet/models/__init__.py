"""Every table of the product, one module a subject."""

from fleet.models.adoption import Adoption
from fleet.models.analysis import Analysis, Finding, Suggestion
from fleet.models.base_rule import BaseRule
from fleet.models.image import BaseImage, Image, ImageLayer, Layer, LayerUse, bodies_of
from fleet.models.policy import SizePolicy, Violation
from fleet.models.prices import Prices
from fleet.models.registry import Registry
from fleet.models.scan import PushedRepository, Scan, ScanError, ScanLane
from fleet.models.service import Service, Snapshot
from fleet.models.verification import Engine, ServiceProbe, Verification

__all__ = [
    "Adoption",
    "Analysis",
    "BaseImage",
    "BaseRule",
    "Engine",
    "Finding",
    "Image",
    "ImageLayer",
    "Layer",
    "LayerUse",
    "Prices",
    "PushedRepository",
    "Registry",
    "Scan",
    "ScanError",
    "ScanLane",
    "Service",
    "ServiceProbe",
    "SizePolicy",
    "Snapshot",
    "Suggestion",
    "Verification",
    "Violation",
    "bodies_of",
]
