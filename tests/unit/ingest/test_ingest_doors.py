"""Guards the commands of the original specification: each module door hands over to its command."""

from __future__ import annotations

import runpy
import sys

import pytest

from orders.cli import main as command_line


@pytest.mark.parametrize(
    ("module", "arguments", "command"),
    [
        (
            "dlt_ingest.generators.orders",
            ["--interval", "1", "--end", "1", "--batch-size", "50"],
            ["generate", "--interval", "1", "--end", "1", "--batch-size", "50"],
        ),
        ("dlt_ingest.configurations", ["--validate", "--env", "dev"], ["config", "validate", "--env", "dev"]),
        ("dlt_ingest.configurations", ["--validate"], ["config", "validate", "--env", "all"]),
        ("dlt_ingest.quality", ["--test"], ["quality", "test"]),
    ],
)
@pytest.mark.filterwarnings("ignore:.*found in sys.modules.*:RuntimeWarning")
def test_module_door_is_the_command(monkeypatch, module, arguments, command):
    handed: list[list[str]] = []
    monkeypatch.setattr(command_line, "main", handed.append)
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    runpy.run_module(module, run_name="__main__")
    assert handed == [command]


@pytest.mark.parametrize("module", ["dlt_ingest.configurations", "dlt_ingest.quality"])
def test_door_without_its_option_is_a_usage_error(monkeypatch, module):
    monkeypatch.setattr(sys, "argv", [module])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module(module, run_name="__main__")
    assert stopped.value.code == 2
