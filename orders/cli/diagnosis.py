"""What `orders doctor` checks: the machine and the workspace (in local_workspace), and this clone."""

from __future__ import annotations

from collections.abc import Callable

from dlt_ingest.errors import OrdersError
from local_workspace.doctor import Check, doctor
from orders.cli.project import Project


def diagnose(project: Project) -> list[Check]:
    """Run all checks. None of them starts or changes anything."""
    project.require_local("doctor")
    machine = doctor(
        project.layout,
        lock_file=project.root / "requirements.lock",
        database=project.settings.POSTGRES_DATABASE,
    )
    return [
        *machine,
        _judged("configuration", lambda: _configuration(project)),
        _judged("bundle", lambda: _bundle(project)),
    ]


def _judged(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except OrdersError as error:
        return Check(name, "fail", error.what, error.next_step)


def _configuration(project: Project) -> Check:
    settings = project.settings
    return Check("configuration", "ok", f"{project.environment}.json is valid: catalog {settings.catalog}")


def _bundle(project: Project) -> Check:
    commands = project.bundle.dbt_commands("orders", "dbt")
    return Check("bundle", "ok", f"the job's dbt task can be read: {len(commands)} command(s)")
