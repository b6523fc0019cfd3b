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

__all__ = [
    "Adoption",
    "Analysis",
    "BaseImage",
    "BaseRule",
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
    "SizePolicy",
    "Snapshot",
    "Suggestion",
    "Violation",
    "bodies_of",
]
