"""Mistakes in pipelines: settings that the platform refuses or that would not run as meant."""

from __future__ import annotations

from pathlib import Path

from orders.bundle_check.rules import check_bundle

from .mistakes import PIPELINE, Mistake, assert_found, each

MISTAKES = [
    Mistake(
        "unknown channel",
        PIPELINE,
        "channel: CURRENT",
        "channel: STABLE",
        "resources.pipelines.orders_ingest.channel",
        "'STABLE'",
        "CURRENT",
    ),
    Mistake(
        "edition of a serverless pipeline",
        PIPELINE,
        "serverless: true",
        "serverless: true\n      edition: ADVANCED",
        "resources.pipelines.orders_ingest.edition",
        "takes no edition",
        "Remove one",
    ),
    Mistake(
        "unknown edition",
        PIPELINE,
        "serverless: true",
        "serverless: false\n      edition: PREMIUM",
        "resources.pipelines.orders_ingest.edition",
        "'PREMIUM'",
        "Write",
    ),
    Mistake(
        "notification nobody sends",
        PIPELINE,
        "on-update-fatal-failure",
        "on-update-fatal",
        "resources.pipelines.orders_ingest.notifications[0].alerts[1]",
        "'on-update-fatal'",
        "on-update-fatal-failure",
    ),
    Mistake(
        "continuous pipeline in a job",
        PIPELINE,
        "continuous: false",
        "continuous: true",
        "resources.pipelines.orders_ingest.continuous",
        "never ends",
        "triggered",
    ),
    Mistake(
        "unknown schema for the event log",
        PIPELINE,
        "schema: ${resources.schemas.ops.name}",
        "schema: operations",
        "resources.pipelines.orders_ingest.event_log.schema",
        "no schema 'operations'",
        "Define",
    ),
]


@each(MISTAKES)
def test_mistake_is_found(mistake: Mistake, bundle_copy: Path) -> None:
    """Guards that each is named by file and key, with the way out."""
    assert_found(mistake, bundle_copy)


def test_dataset_outside_every_pipeline(bundle_copy: Path) -> None:
    """Guards that a dataset that is written in the wrong folder is not silently left out of the deployment."""
    stray = bundle_copy / "dlt_ingest" / "gold_orders.py"
    stray.write_text("import dlt\n\n\n@dlt.table\ndef gold_orders():\n    return dlt.read('bronze.orders')\n")
    assert any("gold_orders.py declares a dataset" in finding.what for finding in check_bundle(bundle_copy))
