"""The dependency audit answers for every pin, or says that it does not. Hermetic: the reports are written here."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ci_audit", PROJECT / ".ci" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_pin_is_asked_for(audit: ModuleType) -> None:
    """Guards pins with a condition, which the Python that runs the audit would leave out."""
    text = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
    wanted = audit.pins(text)
    lines = [line for line in text.splitlines() if "==" in line and not line.startswith("#")]
    assert len(wanted) == len({line.split(";")[0].strip() for line in lines})
    groups = audit.groups(wanted)
    assert sorted(pin for group in groups for pin in group) == sorted(wanted)
    assert all(len({name for name, _ in group}) == len(group) for group in groups)
    with pytest.raises(ValueError, match="not a pin"):
        audit.pins("pandas>=2")


def test_only_a_full_answer_counts(audit: ModuleType) -> None:
    """Guards against silence: a package that was skipped, is missing or of another version is a finding."""
    asked = [("a", "1"), ("b-c", "2"), ("d", "3"), ("e", "4"), ("f", "5")]
    report = {
        "dependencies": [
            {"name": "a", "version": "1", "vulns": []},
            {"name": "B_c", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1"]}]},
            {"name": "d", "skip_reason": "not found"},
            {"name": "e", "version": "4.0.1", "vulns": []},
        ]
    }
    assert audit.judge(asked, report) == [
        "b-c==2: CVE-1, fixed in 2.1",
        "d==3: no answer (not found)",
        "e==4: no answer (it is not in the report)",
        "f==5: no answer (it is not in the report)",
    ]
