{#
    Sends the rows of a model that was just built to table metrics.<model> in Postgres, each key once.

    Args:
        relation (required): the model's relation, `this`.
    Example: `{{ config(post_hook="{{ export_to_postgres(this) }}", meta={"export": {"key": ["metric_date"]}}) }}`
    Settings of a model, in config.meta.export:
        key (required): the columns of its grain.
        deletes (optional, default keep): mirror deletes rows from Postgres whose key has left the model.
        allow_empty (optional, default false): whether mirror may empty the table when the model has no row.
        when (optional, default built): run_end leaves the model to macro export_at_run_end, once results are recorded.
        since (optional): for a model that only gains rows, the timestamp column by which an export reads what is new.
    Variables:
        export_targets: targets that export; the project's own by default, so that a CI target never writes metrics.
        export_policy: warn or fail when Postgres does not take the rows; else ORDERS_EXPORT_POLICY, else fail.
    Note: the address and the password of Postgres come from POSTGRES_* in the environment, read in Python. They must not
        come near Jinja: what Jinja reads lands in the manifest.
    Note: renders to nothing, so that no SQL is sent. A hook runs before the tests of its own model: put it on a thin model
        over tested marts.
#}
{% macro export_to_postgres(relation) -%}
    {%- if execute and flags.WHICH in ('run', 'build', 'retry') and _exported_when(model) != 'run_end'
        and _export_is_wanted(relation) -%}
        {%- if adapter.export_to_postgres is not defined -%}
            {%- do exceptions.raise_compiler_error(
                "adapter.export_to_postgres is not there: install this project's wheel (package dbt_postgres_export) into"
                " dbt's Python environment, or export with `orders export`."
            ) -%}
        {%- endif -%}
        {%- set outcome = adapter.export_to_postgres(
            relation,
            model=model.name,
            export=model.config.get('meta', {}).get('export'),
            run_id=run_id(),
            policy=var('export_policy', none) or none,
        ) -%}
        {%- if outcome['status'] == 'undelivered' -%}
            {%- do exceptions.warn(outcome['message']) -%}
        {%- else -%}
            {%- do log(outcome['message'], info=true) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{# --empty and --sample build a part of the model: exporting it would publish wrong totals, or mirror them away.
   Said of each relation; the end of the run (no relation) has nothing to add. #}
{% macro _export_is_wanted(relation) -%}
    {%- set allowed = var('export_targets', ['local', 'dev', 'staging', 'prod']) -%}
    {%- if flags.EMPTY or flags.SAMPLE -%}
        {%- if relation is not none -%}
            {%- do log('Not exported: ' ~ relation.identifier ~ ' was built from a part of its rows.', info=true) -%}
        {%- endif -%}
        {{- return(false) -}}
    {%- elif target.name not in allowed -%}
        {%- if relation is not none -%}
            {%- do log(
                'Not exported: target ' ~ target.name ~ ' is not in variable export_targets (' ~ allowed | join(', ') ~ ').',
                info=true
            ) -%}
        {%- endif -%}
        {{- return(false) -}}
    {%- endif -%}
    {{- return(true) -}}
{%- endmacro %}
