"""Mistakes in SQL of alerts and dashboards: it parses and names what exists."""

from __future__ import annotations

import json
from pathlib import Path

from orders.bundle_check.rules import Finding, check_bundle

from .mistakes import ALERTS, Mistake, assert_found, each

MISTAKES = [
    Mistake(
        "alert's SQL does not parse",
        ALERTS,
        "        select",
        "        selct",
        "resources.alerts.quality_rate.query_text",
        "",
        "Correct the statement",
    ),
    Mistake(
        "alert on an unknown relation",
        ALERTS,
        "gold.fct_pipeline_runs",
        "gold.fct_pipeline_run",
        "resources.alerts.quality_rate.query_text",
        "no relation gold.fct_pipeline_run",
        "Correct the statement",
    ),
    Mistake(
        "alert on an unknown column",
        ALERTS,
        "where quality_rate is not null",
        "where quality_ratio is not null",
        "resources.alerts.quality_rate.query_text",
        "quality_ratio",
        "Correct the statement",
    ),
    Mistake(
        "alert compares no column of its query",
        ALERTS,
        "          name: quality_rate",
        "          name: rate",
        "resources.alerts.quality_rate.evaluation.source.name",
        "no column 'rate'",
        "Use a column",
    ),
    Mistake(
        "alert with an unknown comparison",
        ALERTS,
        "comparison_operator: LESS_THAN",
        "comparison_operator: BELOW",
        "resources.alerts.quality_rate.evaluation.comparison_operator",
        "'BELOW'",
        "Write",
    ),
]


@each(MISTAKES)
def test_mistake_is_found(mistake: Mistake, bundle_copy: Path) -> None:
    """Guards that each is named by file and key, with the way out."""
    assert_found(mistake, bundle_copy)


def test_dashboard_mistakes(bundle_copy: Path) -> None:
    """Guards dashboards: SQL that does not parse, and a widget that shows a column its dataset does not have."""
    file = bundle_copy / "dashboards" / "pipeline_monitoring.lvdash.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["datasets"][0] |= {"queryLines": ["select from where"]}
    content["datasets"][1] |= {"queryLines": ["select 1 as one from gold.fct_quality_rule"]}
    content["pages"][0]["layout"][0]["widget"]["queries"] = [
        {"name": "main", "query": {"datasetName": "nothing", "fields": []}}
    ]
    file.write_text(json.dumps(content, indent=2), encoding="utf-8")
    found: list[Finding] = [f for f in check_bundle(bundle_copy, ["dev"]) if f.file.endswith(".lvdash.json")]
    text = "\n".join(map(str, found))
    assert "does not parse" in text
    assert "there is no relation gold.fct_quality_rule" in text
    assert "the dashboard has no dataset 'nothing'" in text
    assert all(finding.line > 1 for finding in found)
