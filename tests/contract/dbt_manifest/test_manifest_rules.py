"""Guards the dbt project's own rules: layers, names, documentation, tests, freshness, exposures.

Each rule is a function from dbt's manifest to findings. A finding names the file and the way out. The project has none;
and every rule is shown a project that breaks it, so that none can fall silent.
"""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Manifest = dict[str, Any]
Node = dict[str, Any]
Rule = Callable[[Manifest], Iterator[str]]

MART_PREFIXES = ("fct_", "dim_")
LOAD_TIMES = {"ingested_at", "quarantined_at", "recorded_at", "timestamp"}
EXPECTED_EXPOSURES = {"order_performance", "pipeline_monitoring"}


def of_type(manifest: Manifest, *types: str) -> list[Node]:
    """Nodes of our own package with one of the resource types, in the order of their files."""
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] in types]
    return sorted(nodes, key=lambda node: (node["original_file_path"], node["name"]))


def layer(node: Node) -> str:
    """First folder below models: staging, intermediate, marts, exports or semantic."""
    return str(node["path"]).split("/")[0] if node["resource_type"] == "model" else str(node["resource_type"])


def parents(manifest: Manifest, node: Node) -> list[Node]:
    """Models, seeds, snapshots and sources that the node reads."""
    tables = {**manifest["nodes"], **manifest["sources"]}
    return [tables[parent] for parent in node["depends_on"].get("nodes", []) if parent in tables]


def where(node: Node) -> str:
    return f"{node['original_file_path']}: {node['name']}"


def staging_reads_one_source(manifest: Manifest) -> Iterator[str]:
    for node in of_type(manifest, "model"):
        read = parents(manifest, node)
        if layer(node) == "staging" and [parent["resource_type"] for parent in read] != ["source"]:
            names = ", ".join(parent["name"] for parent in read) or "nothing"
            yield f"{where(node)} reads {names}; a staging model reads one source and no model: join in intermediate/"


def only_staging_reads_sources(manifest: Manifest) -> Iterator[str]:
    for node in of_type(manifest, "model", "snapshot"):
        for parent in parents(manifest, node):
            if parent["resource_type"] == "source" and layer(node) != "staging":
                yield f"{where(node)} reads source {parent['name']}; read a staging model of it instead"


def marts_read_no_staging(manifest: Manifest) -> Iterator[str]:
    for node in of_type(manifest, "model"):
        for parent in parents(manifest, node):
            if layer(node) in ("marts", "exports") and layer(parent) == "staging":
                yield f"{where(node)} reads {parent['name']}; put an intermediate model between them"
            if layer(node) == "exports" and layer(parent) not in ("marts", "exports", "source"):
                yield f"{where(node)} reads {parent['name']}; an export reads marts only, whose tests gate it"


def names_follow_folders(manifest: Manifest) -> Iterator[str]:
    for node in of_type(manifest, "model"):
        folders = node["path"].split("/")[:-1]
        expected: tuple[str, ...]
        match folders:
            case ["staging", source]:
                expected = (f"stg_{source}__",)
            case ["intermediate", domain]:
                expected = (f"int_{domain}__",)
            case ["intermediate"]:
                expected = ("int_",)
            case ["marts", _]:
                expected = MART_PREFIXES
            case ["exports"]:
                expected = ("exp_",)
            case ["semantic"]:
                expected = ("time_spine_",)
            case _:
                yield f"{where(node)} is in none of staging/<source>, intermediate, marts/<group>, exports; move it"
                continue
        if not node["name"].startswith(expected):
            yield f"{where(node)} should start with {' or '.join(expected)}, as its folder says"


def everything_is_described(manifest: Manifest) -> Iterator[str]:
    described = [
        *of_type(manifest, "model", "seed", "snapshot"),
        *manifest["sources"].values(),
        *manifest["exposures"].values(),
    ]
    for node in described:
        if not node["description"].strip():
            yield f"{where(node)} has no description; say its grain and what it is for"
        for column in node.get("columns", {}).values():
            if not column["description"].strip():
                yield f"{where(node)} column {column['name']} has no description; use a doc block"
        if node["resource_type"] != "exposure" and not node.get("columns"):
            yield f"{where(node)} describes no column"


def column_texts_are_doc_blocks(manifest: Manifest) -> Iterator[str]:
    for node in of_type(manifest, "model"):
        for column in node["columns"].values():
            if not column["doc_blocks"]:
                yield f"{where(node)} column {column['name']} is described in place; write a doc block"
    literal: dict[str, list[str]] = defaultdict(list)
    for node in [*of_type(manifest, "seed", "snapshot"), *manifest["sources"].values()]:
        for column in node["columns"].values():
            if not column["doc_blocks"]:
                literal[column["description"].strip()].append(f"{where(node)} column {column['name']}")
    for places in literal.values():
        if len(places) > 1:
            yield f"{' and '.join(places)} have the same text; write a doc block"
    blocks: dict[str, list[str]] = defaultdict(list)
    for block in manifest["docs"].values():
        if block["package_name"] != "dbt":
            blocks[block["block_contents"].strip()].append(f"{block['original_file_path']}: {block['name']}")
    for places in blocks.values():
        if len(places) > 1:
            yield f"{' and '.join(places)} say the same; keep one doc block"


def every_key_is_tested(manifest: Manifest) -> Iterator[str]:
    """Below the marts a table may have no key: Silver keeps an event once per delivery, and staging shows Silver."""
    unique: set[str] = set()
    for test in of_type(manifest, "test"):
        metadata = test.get("test_metadata") or {}
        rules = metadata.get("kwargs", {}) if metadata.get("name") == "column_rules" else {}
        names_key = rules.get("keys") or any(
            "unique" in column for column in rules.get("columns", {}).values()
        )
        if (metadata.get("name", "").startswith("unique") or names_key) and test.get("attached_node"):
            unique.add(test["attached_node"])
    for node in of_type(manifest, "model", "snapshot", "seed"):
        if layer(node) not in ("staging", "intermediate") and node["unique_id"] not in unique:
            yield f"{where(node)} has no unique test; test its key, which is its grain"


def rules_of_a_model_are_one_test(manifest: Manifest) -> Iterator[str]:
    names: dict[str, list[str]] = defaultdict(list)
    for test in of_type(manifest, "test"):
        if (test.get("test_metadata") or {}).get("name") == "column_rules" and test.get("attached_node"):
            names[test["attached_node"]].append(test["name"])
    for model, found in names.items():
        node = manifest["nodes"][model]
        if found != [f"column_rules_{node['name']}"]:
            yield (
                f"{where(node)} has {', '.join(found)}; keep one column_rules_{node['name']}: each test is a node and a "
                "statement, and its name says where to look"
            )


def progress_follows_what_is_built_before(manifest: Manifest) -> Iterator[str]:
    """A `ref` that only an incremental build reads is not an edge, and a first build could record progress too early."""
    for node in of_type(manifest, "model"):
        hooks = " ".join(hook["sql"] for hook in node["config"].get("post-hook", []))
        followed = re.search(r"record_progress\(this, \[(.*?)\]", hooks)
        read = {parent["name"] for parent in parents(manifest, node)}
        for name in re.findall(r"'(\w+)'", followed[1]) if followed else []:
            if name not in read:
                yield f"{where(node)} follows {name}; write -- depends_on: {{{{ ref('{name}') }}}} at its top"


def marts_open_with_their_grain(manifest: Manifest) -> Iterator[str]:
    for node in of_type(manifest, "model"):
        if layer(node) not in ("marts", "exports"):
            continue
        if not node["description"].startswith("Grain: one row per"):
            yield f"{where(node)}: its description should open with 'Grain: one row per ...'"


def models_have_one_skeleton(manifest: Manifest) -> Iterator[str]:
    """The grain first, then CTEs that start on the line of `with`."""
    for node in of_type(manifest, "model"):
        code = node["raw_code"]
        if not code.startswith("-- Grain: one row per "):
            yield f"{where(node)} should open with the comment '-- Grain: one row per ...'"
        if not re.search(r"^with (\w+ as \(|{[{%])", code, re.MULTILINE):
            yield f"{where(node)} should name its first CTE on the line of `with`: with orders as ("


def marts_have_contract_group_and_access(manifest: Manifest) -> Iterator[str]:
    for node in of_type(manifest, "model"):
        if layer(node) in ("marts", "exports"):
            if not node["contract"]["enforced"]:
                yield f"{where(node)} enforces no contract; set contract.enforced"
            if not node["group"]:
                yield f"{where(node)} belongs to no group; add its folder to dbt_project.yml"
            if node["access"] != "public":
                yield f"{where(node)} is {node['access']}; a mart is public"
        elif layer(node) in ("staging", "intermediate") and node["access"] == "public":
            yield f"{where(node)} is public; what is below the marts is protected"
    for group in manifest["groups"].values():
        if not group["owner"].get("email"):
            yield f"{group['original_file_path']}: group {group['name']} has no owner with an e-mail address"


def loaded_sources_have_freshness(manifest: Manifest) -> Iterator[str]:
    refreshed = {sla["dataset"] for sla in manifest["freshness_slas"] if sla["measured_by"] == "refreshed"}
    for source in manifest["sources"].values():
        loaded = bool(LOAD_TIMES & set(source["columns"]))
        watched = source["loaded_at_field"] and (source["freshness"] or {}).get("warn_after")
        if loaded and not watched and f"{source['schema']}.{source['identifier']}" not in refreshed:
            yield (
                f"{where(source)} has a load time but no freshness; set loaded_at_field and warn_after, or, where rows may "
                "stay away for long, promise its refresh in seeds/freshness_slas.csv"
            )


def freshness_is_promised_of_what_exists(manifest: Manifest) -> Iterator[str]:
    tables = [*of_type(manifest, "model", "snapshot", "seed"), *manifest["sources"].values()]
    known = {f"{table['schema']}.{table.get('identifier') or table['alias']}" for table in tables}
    for sla in manifest["freshness_slas"]:
        if sla["dataset"] not in known:
            yield f"seeds/freshness_slas.csv promises {sla['dataset']}, which nothing builds; it would never be fresh"


def exposures_name_what_they_show(manifest: Manifest) -> Iterator[str]:
    names = {exposure["name"] for exposure in manifest["exposures"].values()}
    for missing in sorted(EXPECTED_EXPOSURES - names):
        yield f"dbt_project/models/exposures.yml: dashboard {missing} has no exposure"
    shown = {
        parent for exposure in manifest["exposures"].values() for parent in exposure["depends_on"]["nodes"]
    }
    for node in of_type(manifest, "model"):
        if layer(node) == "exports" and node["unique_id"] not in shown:
            yield f"{where(node)} is in no exposure; add it to the Postgres export in dbt_project/models/exposures.yml"
    for exposure in manifest["exposures"].values():
        if not exposure["owner"].get("email"):
            yield f"{where(exposure)} has no owner with an e-mail address"
        for parent in exposure["depends_on"]["nodes"]:
            node = manifest["nodes"].get(parent)
            if node and node["resource_type"] == "model" and layer(node) not in ("marts", "exports"):
                yield f"{where(exposure)} shows {node['name']}; an exposure shows marts"


def singular_tests_say_what_they_guard(manifest: Manifest) -> Iterator[str]:
    for test in of_type(manifest, "test"):
        if test.get("test_metadata"):
            continue
        if not test["raw_code"].lstrip().startswith("-- Guards "):
            yield f"{where(test)} should open with '-- Guards ...': what would silently break without it"
        if not test["name"].startswith("assert_"):
            yield f"{where(test)} should be called assert_<sentence>"


def severities_below_error_have_a_reason(manifest: Manifest) -> Iterator[str]:
    for test in of_type(manifest, "test"):
        if test["config"]["severity"].lower() == "error":
            continue
        said = test["description"] + str(test["config"]["meta"].get("reason", ""))
        if not said.strip() and not re.search(
            r"^--.*\bseverity\b", test["raw_code"], re.IGNORECASE | re.MULTILINE
        ):
            yield (
                f"{where(test)} has severity {test['config']['severity']}; say why in its description, or in the opening "
                "comment of a singular test ('Severity is warn, since ...')"
            )


def macros_are_documented_one_a_file(manifest: Manifest) -> Iterator[str]:
    public: dict[str, list[str]] = defaultdict(list)
    for macro in manifest["macros"].values():
        path = macro["original_file_path"]
        if macro["package_name"] == manifest["metadata"]["project_name"] and path.startswith("macros/"):
            public[path] += [] if macro["name"].startswith("_") else [macro["name"]]
    for path, names in sorted(public.items()):
        if len(names) != 1 or not path.endswith(f"/{names[0]}.sql"):
            yield f"{path} holds {', '.join(names) or 'no public macro'}; one public macro a file, named like it"


def macros_say_what_their_arguments_are(manifest: Manifest) -> Iterator[str]:
    """The docs site shows what macros/_macros.yml says; the comment above a macro is for who reads its file."""
    for macro in manifest["macros"].values():
        ours = macro["package_name"] == manifest["metadata"]["project_name"]
        if not ours or macro["name"].startswith("_") or not macro["original_file_path"].startswith("macros/"):
            continue
        found = re.search(rf"macro {macro['name']}\((.*?)\)\s*-?%\}}", macro["macro_sql"], re.DOTALL)
        without_defaults = re.sub(r"=\s*('[^']*'|\[[^\]]*\]|\{[^}]*\}|[^,]+)", "", found[1]) if found else ""
        written = [name.strip() for name in without_defaults.split(",") if name.strip()]
        described = [argument["name"] for argument in macro["arguments"] if argument["description"].strip()]
        if not macro["description"].strip() or written != described:
            yield (
                f"{macro['original_file_path']}: {macro['name']} takes {', '.join(written) or 'nothing'}, and "
                f"macros/_macros.yml describes {', '.join(described) or 'nothing'}; describe each argument there, in order"
            )


RULES: list[Rule] = [
    staging_reads_one_source,
    only_staging_reads_sources,
    marts_read_no_staging,
    names_follow_folders,
    everything_is_described,
    column_texts_are_doc_blocks,
    every_key_is_tested,
    rules_of_a_model_are_one_test,
    progress_follows_what_is_built_before,
    marts_open_with_their_grain,
    models_have_one_skeleton,
    marts_have_contract_group_and_access,
    loaded_sources_have_freshness,
    freshness_is_promised_of_what_exists,
    exposures_name_what_they_show,
    singular_tests_say_what_they_guard,
    severities_below_error_have_a_reason,
    macros_are_documented_one_a_file,
    macros_say_what_their_arguments_are,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_project_keeps_the_rule(rule: Rule, manifest: Manifest) -> None:
    """Guards the rule over the whole project, from zero violations on: there is no list of exceptions."""
    findings = list(rule(manifest))
    assert not findings, "\n".join(["", *findings])


def _of(manifest: Manifest, collection: str, **wanted: str) -> Node:
    """First entry of a collection whose fields start as wanted."""
    for entry in manifest[collection].values():
        if all(str(entry.get(field, "")).startswith(value) for field, value in wanted.items()):
            found: Node = entry
            return found
    raise LookupError(f"no entry of {collection} with {wanted}")


def _break_staging(m: Manifest) -> None:
    _of(m, "nodes", resource_type="model", path="staging/")["depends_on"]["nodes"] = [
        "model.orders.fct_pipeline_runs"
    ]


def _break_source_reading(m: Manifest) -> None:
    source = next(iter(m["sources"]))
    _of(m, "nodes", resource_type="model", path="marts/")["depends_on"]["nodes"].append(source)


def _break_marts(m: Manifest) -> None:
    staging = _of(m, "nodes", resource_type="model", path="staging/")["unique_id"]
    _of(m, "nodes", resource_type="model", path="marts/")["depends_on"]["nodes"].append(staging)


def _break_names(m: Manifest) -> None:
    _of(m, "nodes", resource_type="model", path="intermediate/")["name"] = "orders_final_v2"


def _break_description(m: Manifest) -> None:
    _of(m, "nodes", resource_type="model", path="marts/")["description"] = " "


def _break_doc_blocks(m: Manifest) -> None:
    next(iter(_of(m, "nodes", resource_type="model", path="marts/")["columns"].values()))["doc_blocks"] = []


def _break_key_test(m: Manifest) -> None:
    model = _of(m, "nodes", resource_type="model", path="marts/")["unique_id"]
    m["nodes"] = {key: node for key, node in m["nodes"].items() if node.get("attached_node") != model}


def _break_rules(m: Manifest) -> None:
    rules = _of(m, "nodes", resource_type="test", name="column_rules_")
    m["nodes"]["test.orders.second"] = {**rules, "unique_id": "test.orders.second"}


def _break_progress(m: Manifest) -> None:
    _of(m, "nodes", name="fct_order_sequence")["depends_on"]["nodes"] = []


def _break_grain(m: Manifest) -> None:
    _of(m, "nodes", resource_type="model", path="marts/")["description"] = "Orders."


def _break_skeleton(m: Manifest) -> None:
    node = _of(m, "nodes", resource_type="model", path="marts/")
    node["raw_code"] = node["raw_code"].replace("\nwith ", "\nwith\n\n", 1)


def _break_contract(m: Manifest) -> None:
    _of(m, "nodes", resource_type="model", path="marts/")["contract"]["enforced"] = False


def _break_freshness(m: Manifest) -> None:
    _of(m, "sources", name="event_log")["freshness"] = None


def _break_promises(m: Manifest) -> None:
    m["freshness_slas"].append({"dataset": "gold.fct_renamed", "measured_by": "loaded"})


def _break_exposures(m: Manifest) -> None:
    m["exposures"] = {k: e for k, e in m["exposures"].items() if e["name"] != "order_performance"}


def _break_guards(m: Manifest) -> None:
    _of(m, "nodes", resource_type="test", name="assert_")["raw_code"] = "select 1"


def _break_severity(m: Manifest) -> None:
    test = _of(m, "nodes", resource_type="test", name="assert_")
    test["config"]["severity"] = "warn"
    test["description"] = ""
    test["config"]["meta"] = {}


def _break_arguments(m: Manifest) -> None:
    _of(m, "macros", package_name="orders", name="changed_dates")["arguments"].pop()


def _break_macros(m: Manifest) -> None:
    macro = _of(m, "macros", package_name="orders", original_file_path="macros/")
    macro["name"] = f"{macro['name']}_also"


BREAKS: list[tuple[Rule, Callable[[Manifest], None]]] = [
    (staging_reads_one_source, _break_staging),
    (only_staging_reads_sources, _break_source_reading),
    (marts_read_no_staging, _break_marts),
    (names_follow_folders, _break_names),
    (everything_is_described, _break_description),
    (column_texts_are_doc_blocks, _break_doc_blocks),
    (every_key_is_tested, _break_key_test),
    (rules_of_a_model_are_one_test, _break_rules),
    (progress_follows_what_is_built_before, _break_progress),
    (marts_open_with_their_grain, _break_grain),
    (models_have_one_skeleton, _break_skeleton),
    (marts_have_contract_group_and_access, _break_contract),
    (loaded_sources_have_freshness, _break_freshness),
    (freshness_is_promised_of_what_exists, _break_promises),
    (exposures_name_what_they_show, _break_exposures),
    (singular_tests_say_what_they_guard, _break_guards),
    (severities_below_error_have_a_reason, _break_severity),
    (macros_are_documented_one_a_file, _break_macros),
    (macros_say_what_their_arguments_are, _break_arguments),
]


@pytest.mark.parametrize(("rule", "damage"), BREAKS, ids=[rule.__name__ for rule, _ in BREAKS])
def test_rule_sees_a_violation(rule: Rule, damage: Callable[[Manifest], None], manifest: Manifest) -> None:
    """Guards the rules themselves: damage done to a copy of the project is found, and the finding names a file."""
    damaged = copy.deepcopy(manifest)
    damage(damaged)
    findings = set(rule(damaged)) - set(rule(manifest))
    assert findings
    assert all(re.search(r"\.(sql|yml|md|csv)\b", finding) for finding in findings)


def test_every_rule_is_shown_a_violation() -> None:
    """Guards against a rule that is added without proof that it can fail."""
    assert [rule for rule, _ in BREAKS] == RULES
