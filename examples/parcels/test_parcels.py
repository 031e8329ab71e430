"""A test of the pipeline beside it: the fixture `local_workspace` comes with this package."""

from pathlib import Path

HERE = Path(__file__).parent


def test_each_depot_has_its_parcels(local_workspace):
    """Guards the count of parcels, and that a scan without one counts for nothing."""
    local_workspace.run_pipeline(
        HERE / "pipeline",
        catalog="demo",
        schema="parcels",
        volumes={"/Volumes/demo/raw/scans": HERE / "data"},
    )
    depots = local_workspace.table("demo.parcels.parcels_by_depot").to_pandas()
    assert dict(zip(depots["depot"], depots["parcels"], strict=True)) == {"north": 2, "south": 1}
