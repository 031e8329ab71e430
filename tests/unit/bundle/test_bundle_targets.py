"""Mistakes in targets: one default, and a production that is protected and is not development."""

from __future__ import annotations

from pathlib import Path

from .mistakes import MAIN, STORAGE, Mistake, assert_found, each

MISTAKES = [
    Mistake(
        "two defaults",
        MAIN,
        "mode: production",
        "mode: production\n    default: true",
        "targets.prod.default",
        "also the default",
        "Remove one",
    ),
    Mistake(
        "production under a person's name",
        MAIN,
        "    run_as: *shared_run_as\n",
        "",
        "targets.prod.run_as.service_principal_name",
        "user who deploys",
        "run_as",
    ),
    Mistake(
        "tables go with the pipeline",
        MAIN,
        "cascade_on_destroy: false",
        "cascade_on_destroy: true",
        "resources.pipelines.orders_ingest.cascade_on_destroy",
        "removing the pipeline would remove its tables",
        "false",
    ),
    Mistake(
        "unprotected production",
        MAIN,
        "prevent_destroy: true",
        "prevent_destroy: false",
        "resources.schemas.silver.lifecycle.prevent_destroy",
        "would remove",
        "prevent_destroy",
        at=STORAGE,
    ),
    Mistake(
        "development's catalog in production",
        MAIN,
        "catalog: ecommerce_prod",
        "catalog: ecommerce_dev",
        "targets.prod.variables.catalog",
        "also the catalog of dev",
        "its own catalog",
    ),
    Mistake(
        "secret in the file",
        MAIN,
        '"{{secrets/${var.secret_scope}/postgres_password}}"',
        "hunter2",
        "resources.jobs.orders.job_clusters[0].new_cluster.spark_env_vars.POSTGRES_PASSWORD",
        "secret is in",
        "Change the secret",
    ),
]


@each(MISTAKES)
def test_mistake_is_found(mistake: Mistake, bundle_copy: Path) -> None:
    """Guards that each is named by file and key, with the way out."""
    assert_found(mistake, bundle_copy)
