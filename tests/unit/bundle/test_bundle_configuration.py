"""Mistakes in configuration: the bundle agrees with the configuration of its environment."""

from __future__ import annotations

from pathlib import Path

from .mistakes import MAIN, Mistake, assert_found, each

MISTAKES = [
    Mistake(
        "catalog differs from the configuration",
        MAIN,
        "catalog: ecommerce_staging",
        "catalog: ecommerce_stage",
        "targets.staging.variables.catalog",
        "staging.json says 'ecommerce_staging'",
        "ecommerce_staging",
        target="staging",
    ),
    Mistake(
        "limit differs from the configuration",
        MAIN,
        "export_lag_minutes: 60",
        "export_lag_minutes: 90",
        "targets.prod.variables.export_lag_minutes",
        "prod.json says 60",
        "60",
    ),
    Mistake(
        "environment without a configuration",
        MAIN,
        "default: ${bundle.target}",
        "default: qa",
        "variables.environment",
        "no dlt_ingest/configurations/qa.json",
        "Add the file",
    ),
]


@each(MISTAKES)
def test_mistake_is_found(mistake: Mistake, bundle_copy: Path) -> None:
    """Guards that each is named by file and key, with the way out."""
    assert_found(mistake, bundle_copy)
