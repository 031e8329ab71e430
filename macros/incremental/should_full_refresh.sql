{#
    dbt's own question whether a build replaces its table, answered for models that record their progress: also when no record
    says what the table contains. dbt calls it for the materialisation, and in is_incremental().

    Args: none.
    Example: `{% if is_incremental() %}`, which asks it.
    Note: `full_refresh: false` in a model's config wins, as in dbt: the bookkeeping tables are never replaced.
#}
{% macro should_full_refresh() -%}
    {%- set configured = config.get('full_refresh') -%}
    {%- if configured is not none -%}
        {{ return(configured) }}
    {%- endif -%}
    {%- if flags.FULL_REFRESH or not execute or not _records_progress() -%}
        {{ return(flags.FULL_REFRESH) }}
    {%- endif -%}
    {#- Asked several times for a model; the answer is kept with it. -#}
    {%- if 'orders_progress_is_known' not in model -%}
        {%- do model.update({'orders_progress_is_known': _progress_is_known()}) -%}
    {%- endif -%}
    {{ return(not model['orders_progress_is_known']) }}
{%- endmacro %}


{% macro _records_progress() -%}
    {%- for hook in model.config.get('post-hook', []) -%}
        {%- if 'record_progress' in (hook.sql if hook is mapping and hook.sql else hook | string) -%}
            {{ return(true) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(false) }}
{%- endmacro %}


{% macro _progress_is_known() -%}
    {%- set progress = ref('int_marts__progressed') -%}
    {%- if not is_of_this_environment(progress) -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set found = run_query(
        "select coalesce(max_by(load_number, recorded_at), cast(-1 as bigint)) as load_number from " ~ progress.render()
        ~ " where model_name = '" ~ progress_name(this) ~ "'"
    ) -%}
    {{ return(found.columns[0].values()[0] | int >= 0) }}
{%- endmacro %}
