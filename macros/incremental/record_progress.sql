{#
    The post-hook by which an incremental model writes down the last load that it contains.

    Args:
        relation (required): the model, `this`.
        upstream (optional, default []): names of the incremental models that it reads. It has what the slowest of them
            has; with none it has all of int_orders__loaded.
    Example: `post_hook="{{ record_progress(this, ['fct_order_events']) }}"`
    NB: one dbt invocation at a time writes the Gold layer (the job allows one run, a local workspace locks); a
    second one could record a load between this model's query and this hook.
#}
{% macro record_progress(relation, upstream=[]) -%}
    merge into {{ ref('int_marts__progressed') }} as recorded
    using (
        select
            '{{ relation.identifier }}' as model_name,
            {% if upstream -%}
            cast(coalesce(min(load_number), 0) as bigint) as load_number
        from {{ ref('int_marts__progressed') }}
        where model_name in ('{{ upstream | join("', '") }}')
            {%- else -%}
            cast(coalesce(max(load_number), 0) as bigint) as load_number
        from {{ ref('int_orders__loaded') }}
            {%- endif %}
    ) as reached
        on recorded.model_name = reached.model_name
    when matched and recorded.load_number <> reached.load_number then update set *
    when not matched then insert *
{%- endmacro %}
