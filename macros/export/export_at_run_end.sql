{#
    on-run-end hook: exports the models that tell of this invocation itself, then records what became of all exports.

    Args:
        results (required): the `results` that dbt gives to on-run-end hooks.
    Example (dbt_project.yml): `on-run-end: ["{{ record_run_results(results) }}", "{{ export_at_run_end(results) }}"]`
    Note: put it after record_run_results, whose rows it exports. It runs after failed builds too: a failure is what an
    operator of Postgres must see first. Models with `meta.export.when: run_end` are views, so they hold what was just
    recorded; one that no build has made yet is left out. The record is one row per model and run in
    ops.export_deliveries, written on dbt's own connection. After it an undelivered export fails the hook by a statement
    that fails: dbt then writes its run results, which an error of this macro would prevent.
#}
{% macro export_at_run_end(results) -%}
    {%- if execute and flags.WHICH in run_results_commands() and _export_is_wanted(none)
        and adapter.export_at_run_end is defined -%}
        {%- set at_run_end = [] -%}
        {%- set built = [] -%}
        {%- for node in graph.nodes.values()
            if node.resource_type == 'model' and _exported_when(node) == 'run_end' -%}
            {%- set relation = adapter.get_relation(node.database, node.schema, node.alias) -%}
            {%- if relation is not none -%}
                {%- do at_run_end.append({'relation': relation, 'model': node.name, 'export': node.config.meta.export}) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- for result in results
            if result.node.resource_type == 'model' and _exported_when(result.node) == 'built' -%}
            {%- do built.append({'model': result.node.name, 'status': result.status | string}) -%}
        {%- endfor -%}
        {%- set outcome = adapter.export_at_run_end(
            source('ops', 'export_deliveries'),
            at_run_end=at_run_end,
            built=built,
            run_id=run_id(),
            policy=var('export_policy', none) or none,
        ) -%}
        {%- if outcome['status'] == 'failed' -%}
            select raise_error('{{ outcome["message"] | replace("\\", "\\\\") | replace("'", "\\'") }}')
        {%- elif outcome['status'] == 'undelivered' -%}
            {%- do exceptions.warn(outcome['message']) -%}
        {%- elif outcome['message'] -%}
            {%- do log(outcome['message'], info=true) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{# built, run_end, or nothing for a model that is not exported. #}
{% macro _exported_when(node) -%}
    {%- set export = (node.config.get('meta') or {}).get('export') -%}
    {{- return(export.get('when', 'built') if export else none) -}}
{%- endmacro %}
