"""The macros, each called by a model of a small dbt project over a seed and compared with a seed of what is expected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gold_workspace import GoldWorkspace

MACRO_PROJECT = Path(__file__).with_name("macro_project")


@pytest.fixture(scope="module")
def macro_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoldWorkspace]:
    with GoldWorkspace(tmp_path_factory.mktemp("macros"), project=MACRO_PROJECT) as workspace:
        yield workspace


def test_macros_give_what_the_seeds_expect(macro_workspace: GoldWorkspace) -> None:
    """Guards rounding and division by zero, and a merge of rows that change, stay, arrive or move to another partition.

    And that column_rules finds what breaks each of its rules, with column, value, number of rows and a key, and nothing
    else: the bounds themselves pass, and NULL breaks not_null alone.
    """
    macro_workspace.dbt("build")
    # Nothing else depends on the delivery.
    macro_workspace.dbt("build", "--select", "moves+", "--vars", "{delivery: 2}")


def test_a_strategy_without_a_usable_key_is_refused(macro_workspace: GoldWorkspace) -> None:
    """Guards against merge_pruned looking for old rows in the partitions of the new ones: rows would double."""
    arguments = ("run", "--select", "moves_without_month", "--vars", "{with_refused: true}")
    macro_workspace.dbt(*arguments)
    success, output = macro_workspace.try_dbt(*arguments)
    assert not success
    assert "does not have the partition order_month in it" in output


@pytest.mark.parametrize(
    "rules",
    ["{}", "{min_value: 0, max: 1}", "0", "{not_null: false}", "{unique: yes please}", "{min_value: }"],
)
def test_a_rule_that_could_never_fail_is_refused(macro_workspace: GoldWorkspace, rules: str) -> None:
    """Guards against a rule that is misspelt, switched off or empty: the test would pass whatever the column holds."""
    success, output = macro_workspace.try_dbt("compile", "--vars", f"{{rules: {{amount: {rules}}}}}")
    assert not success
    assert "amount has" in output
    assert "Allowed are not_null: true" in output
