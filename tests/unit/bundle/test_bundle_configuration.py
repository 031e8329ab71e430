"""Mistakes in configuration: the bundle agrees with the configuration of its environment."""

from __future__ import annotations

from pathlib import Path

from .mistakes import MAIN, SEED, Mistake, assert_found, each

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
    Mistake(
        "limit differs from a default of the configuration",
        MAIN,
        "default: 0.95",
        "default: 0.9",
        "targets.dev.variables.quality_rate_minimum",
        "dev.json says 0.95",
        "0.95",
        target="dev",
    ),
    Mistake(
        "threshold of anomalies differs from the marts'",
        "dlt_ingest/configurations/prod.json",
        '"EXPORT_LAG_MINUTES": 60',
        '"REVENUE_ANOMALY_THRESHOLD": 2.5, "EXPORT_LAG_MINUTES": 60',
        "vars.anomaly_threshold",
        "is 3.5, and dlt_ingest/configurations/prod.json says 2.5",
        "the same value in both",
        at="dbt_project.yml",
    ),
    Mistake(
        "freshness promised otherwise in the seed",
        SEED,
        "prod,gold.fct_orders,refreshed,1500",
        "prod,gold.fct_orders,refreshed,90",
        "prod.gold.fct_orders",
        "promises 90 minutes, and dlt_ingest/configurations/prod.json says 1500",
        "Write 1500 here",
    ),
    Mistake(
        "freshness promised otherwise on a laptop",
        "dlt_ingest/configurations/local.json",
        '"bronze.orders": 10080',
        '"bronze.orders": 1440',
        "local.bronze.orders",
        "promises 10080 minutes, and dlt_ingest/configurations/local.json says 1440",
        "Write 1440 here",
        at=SEED,
    ),
    Mistake(
        "freshness of dbt's sources differs from the configuration",
        "dbt_project.yml",
        "staging: 1440, prod: 1440}",
        "staging: 1440, prod: 90}",
        "vars.source_freshness_minutes.prod",
        "is 90, and dlt_ingest/configurations/prod.json promises 1440 minutes for bronze.orders",
        "Write prod: 1440 here",
    ),
    Mistake(
        "freshness of dbt's sources is not set for an environment",
        "dbt_project.yml",
        "dev: 1440, staging: 1440, prod",
        "dev: 1440, prod",
        "vars.source_freshness_minutes.staging",
        "is nothing, and dlt_ingest/configurations/staging.json promises 1440 minutes",
        "Write staging: 1440 here",
    ),
    Mistake(
        "freshness promised in the configuration alone",
        "dlt_ingest/configurations/staging.json",
        '"silver.customers": 1440',
        '"silver.customers": 1440, "gold.fct_kpis_daily": 1500',
        "staging.gold.fct_kpis_daily",
        "promises 1500 minutes",
        "Add the row",
        at=SEED,
    ),
    Mistake(
        "freshness promised in the seed alone",
        SEED,
        "dev,silver.orders,loaded",
        "dev,silver.returns,loaded",
        "dev.silver.returns",
        "says nothing",
        "Remove the row",
    ),
]


@each(MISTAKES)
def test_mistake_is_found(mistake: Mistake, bundle_copy: Path) -> None:
    """Guards that each is named by file and key, with the way out."""
    assert_found(mistake, bundle_copy)
