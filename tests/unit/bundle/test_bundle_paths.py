"""Mistakes in paths: what the bundle names is there and is uploaded."""

from __future__ import annotations

from pathlib import Path

from .mistakes import DASHBOARDS, JOB, MAIN, PIPELINE, Mistake, assert_found, each

MISTAKES = [
    Mistake(
        "library glob beside the code",
        PIPELINE,
        "../dlt_ingest/transformations/**",
        "../dlt_ingest/transformation/**",
        "resources.pipelines.orders_ingest.libraries[0].glob.include",
        "matches no",
        "Correct the path",
    ),
    Mistake(
        "glob that pipelines do not know",
        PIPELINE,
        "../dlt_ingest/transformations/**",
        "../dlt_ingest/transformations/*.py",
        "resources.pipelines.orders_ingest.libraries[0].glob.include",
        "not supported",
        "end with /**",
    ),
    Mistake(
        "root path that does not exist",
        PIPELINE,
        "root_path: ..",
        "root_path: ../src",
        "resources.pipelines.orders_ingest.root_path",
        "does not exist",
        "Correct the path",
    ),
    Mistake(
        "dbt project elsewhere",
        JOB,
        "            project_directory: ..",
        "            project_directory: ../resources",
        "resources.jobs.orders.tasks[1].dbt_task.project_directory",
        "no dbt_project.yml",
        "dbt_project.yml",
    ),
    Mistake(
        "profiles elsewhere",
        JOB,
        "profiles_directory: profiles",
        "profiles_directory: ../profiles",
        "resources.jobs.orders.tasks[1].dbt_task.profiles_directory",
        "no profiles.yml",
        "Correct",
    ),
    Mistake(
        "dashboard file missing",
        DASHBOARDS,
        "pipeline_monitoring.lvdash.json",
        "pipeline_monitor.lvdash.json",
        "resources.dashboards.pipeline_monitoring.file_path",
        "does not exist",
        "Correct the path",
    ),
    Mistake(
        "capitals differ",
        DASHBOARDS,
        "../dashboards/pipeline_monitoring",
        "../Dashboards/pipeline_monitoring",
        "resources.dashboards.pipeline_monitoring.file_path",
        "../Dashboards/pipeline_monitoring",
        "capitals",
    ),
    Mistake(
        "wheel built elsewhere",
        JOB,
        "- whl: ../dist/*.whl",
        "- whl: ../wheels/*.whl",
        "resources.jobs.orders.tasks[1].libraries[0].whl",
        "no artifact",
        "dist folder",
    ),
    Mistake(
        "upload leaves code out",
        MAIN,
        "    - docs/**\n",
        "    - docs/**\n    - dlt_ingest/quality/**\n",
        "sync.exclude[5]",
        "keeps",
        "narrower",
    ),
]


@each(MISTAKES)
def test_mistake_is_found(mistake: Mistake, bundle_copy: Path) -> None:
    """Guards that each is named by file and key, with the way out."""
    assert_found(mistake, bundle_copy)
