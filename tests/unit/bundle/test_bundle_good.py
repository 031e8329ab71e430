"""What is right is left alone, and what is deployed is what runs locally."""

from __future__ import annotations

from pathlib import Path

from orders.bundle_check.rules import check_bundle
from orders.bundle_check.rules.deployed_code import hash_of


def test_good_bundle_has_no_finding(project_root: Path) -> None:
    """Guards against crying wolf: what we deploy passes its own check, for all targets."""
    assert [str(finding) for finding in check_bundle(project_root)] == []


def test_deployed_code_is_compared_by_hash(bundle_copy: Path) -> None:
    """Guards that what runs locally and what is deployed are the same bytes: changed, missing and extra files."""
    folder = bundle_copy / "dlt_ingest" / "transformations"
    local = {file: hash_of(file) for file in folder.rglob("[!_]*.py")}
    assert not [f for f in check_bundle(bundle_copy, ["prod"], local_files=local) if "libraries" in f.key]

    (folder / "bronze_orders.py").write_text("# changed\n")
    local.pop(folder / "silver_orders.py")
    local[bundle_copy / "dlt_ingest" / "extra.py"] = "0" * 64
    found = "\n".join(f.what for f in check_bundle(bundle_copy, ["prod"], local_files=local))
    assert "bronze_orders.py is not what the local run loaded" in found
    assert "silver_orders.py is deployed, but local runs do not load it" in found
    assert "local runs load dlt_ingest/extra.py, and it is not deployed" in found
