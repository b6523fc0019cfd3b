"""What an administrator says of bandwidth and costs. Nothing is assumed but the bandwidth, which pages name."""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from fleet.dockerfile.benefits import DEFAULT_BANDWIDTH_MBIT, Tariff

_POSITIVE = MinValueValidator(Decimal(0))


class Prices(models.Model):
    """One row for the whole fleet, under the key 1; until it is there no cost is shown."""

    ONLY = 1

    bandwidth_mbit = models.PositiveIntegerField(
        "bandwidth (Mbit/s)",
        default=DEFAULT_BANDWIDTH_MBIT,
        validators=[MinValueValidator(1), MaxValueValidator(1_000_000)],
        help_text="Of a host that pulls. Pull times are reckoned with it.",
    )
    storage_gb_month = models.DecimalField(
        "storage price per GB and month",
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[_POSITIVE],
        help_text="GB is 10^9 bytes. Empty: storage is left out of the costs.",
    )
    transfer_gb = models.DecimalField(
        "transfer price per GB",
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[_POSITIVE],
        help_text="Needs the pulls below. Empty: transfer is left out of the costs.",
    )
    pulls_per_replica_month = models.DecimalField(
        "pulls per replica and month",
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[_POSITIVE],
        help_text="How often one replica is pulled anew: releases, moves to other hosts, scaling.",
    )
    currency = models.CharField(max_length=8, blank=True, help_text="A label, for example EUR.")

    class Meta:
        verbose_name = verbose_name_plural = "bandwidth and prices"

    def __str__(self) -> str:
        return f"{self.bandwidth_mbit} Mbit/s"

    @classmethod
    def tariff(cls) -> Tariff:
        """What was said, else the default bandwidth and no prices. One query."""
        row = cls._default_manager.filter(pk=cls.ONLY).first()
        if row is None:
            return Tariff()
        return Tariff(
            bandwidth_mbit=row.bandwidth_mbit,
            storage_gb_month=row.storage_gb_month,
            transfer_gb=row.transfer_gb,
            pulls_per_replica_month=row.pulls_per_replica_month,
            currency=row.currency,
        )
