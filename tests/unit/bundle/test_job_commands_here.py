"""The dbt commands of the bundle's job as `orders run` gives them."""

from __future__ import annotations

import shlex

import yaml

from orders.cli.project import Project
from orders.cli.run import local_dbt_commands


def test_only_the_run_id_is_handed_over_in_another_way() -> None:
    """Guards both ends: nothing of the deployed command is lost, and no `--vars` makes dbt parse everything at each run."""
    project = Project.find(environment="local")
    deployed = project.bundle.dbt_commands("orders", "dbt", values={"job.run_id": "r1"})
    here = local_dbt_commands(project, "r1")
    assert [["dbt", *words, "--vars", '{"test_scope":"changed","run_id":"r1"}'] for words in here] == [
        shlex.split(command) for command in deployed
    ]
    variables = yaml.safe_load((project.root / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    assert variables["test_scope"] == "changed", "what is left out here must be what dbt takes without it"
    assert all("--vars" not in words for words in here)
