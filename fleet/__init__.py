"""Plimsoll: governs the size of a fleet of container images."""

__version__ = "0.1.0"
