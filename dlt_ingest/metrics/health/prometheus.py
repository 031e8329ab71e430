"""The health report in the text format that Prometheus scrapes.

Format: Prometheus documentation, "Exposition formats", text-based format 0.0.4.
"""

from __future__ import annotations

from dlt_ingest.metrics.health.model import Check, HealthReport

_CODE = {"ok": 0, "warn": 1, "fail": 2}


def render(report: HealthReport) -> str:
    """Return one gauge for the verdicts, one for the values and one for the limits; checks without data are omitted."""
    judged = [check for check in report.checks if check.verdict in _CODE]
    lines = [
        "# HELP orders_healthy 1 if no check fails.",
        "# TYPE orders_healthy gauge",
        f"orders_healthy{{{_labels(environment=report.environment)}}} {int(report.healthy)}",
        "# HELP orders_check_verdict 0 ok, 1 warn, 2 fail.",
        "# TYPE orders_check_verdict gauge",
        *(f"orders_check_verdict{{{_of(report, c)}}} {_CODE[c.verdict]}" for c in judged),
        "# HELP orders_check_value The measured figure, in the unit of its label.",
        "# TYPE orders_check_value gauge",
        *(f"orders_check_value{{{_of(report, c)}}} {float(c.value)}" for c in judged if c.value is not None),
        "# HELP orders_check_limit The limit of the figure.",
        "# TYPE orders_check_limit gauge",
        *(f"orders_check_limit{{{_of(report, c)}}} {float(c.limit)}" for c in judged if c.limit is not None),
        "# HELP orders_check_timestamp_seconds When the checks were made.",
        "# TYPE orders_check_timestamp_seconds gauge",
        f"orders_check_timestamp_seconds{{{_labels(environment=report.environment)}}} {report.checked_at.timestamp():.0f}",
    ]
    return "\n".join(lines) + "\n"


def _of(report: HealthReport, check: Check) -> str:
    return _labels(environment=report.environment, check=check.name, subject=check.subject, unit=check.unit)


def _labels(**labels: str) -> str:
    def escaped(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return ",".join(f'{name}="{escaped(value)}"' for name, value in labels.items() if value)
