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
    insert into {{ ref('int_marts__progressed') }}
    select
        '{{ relation.identifier }}' as model_name,
        reached.load_number
    from (
        {%- if upstream %}
        -- An upstream model that has recorded nothing holds this one back.
        select
            case when count(*) = {{ upstream | length }} then min(latest.load_number) else cast(0 as bigint) end
                as load_number
        from (
            select
                model_name,
                max(load_number) as load_number
            from {{ ref('int_marts__progressed') }}
            where model_name in ('{{ upstream | join("', '") }}')
            group by model_name
        ) as latest
        {%- else %}
        select coalesce(max(load_number), cast(0 as bigint)) as load_number
        from {{ ref('int_orders__loaded') }}
        {%- endif %}
    ) as reached
    cross join (
        select coalesce(max(load_number), cast(-1 as bigint)) as load_number
        from {{ ref('int_marts__progressed') }}
        where model_name = '{{ relation.identifier }}'
    ) as recorded
    where reached.load_number > recorded.load_number
{%- endmacro %}
