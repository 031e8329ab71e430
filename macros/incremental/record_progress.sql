{#
    The post-hook by which an incremental model writes down the last load that it contains: that of the slowest model it reads.

    Args:
        relation (required): the model, `this`.
        upstream (optional, default []): names of the incremental models that it reads; each becomes a dependency, so that it
            is built before. With none it has all of int_orders__loaded.
    Example: `post_hook="{{ record_progress(this, ['fct_order_events']) }}"`
    Note: the record goes down as well as up. A model built from inputs that are unknown themselves (macro forget_progress) is
        unknown after it, and its next build is a full one. So no order of partial builds leaves rows out.
    Note: `--empty` and `--sample` read a part of the rows, and `--defer` the record of another environment: they write none.
    Note: one dbt invocation at a time writes the Gold layer (the job allows one run, a local workspace locks); a second one
        could record a load between this model's query and this hook.
#}
{% macro record_progress(relation, upstream=[]) -%}
    {%- set progress = ref('int_marts__progressed') -%}
    {%- set loaded = ref('int_orders__loaded') -%}
    {%- set names = [] -%}
    {#- Outside of the condition, so that dbt sees the dependencies when it parses. -#}
    {%- for name in upstream -%}
        {%- do names.append(progress_name(ref(name))) -%}
    {%- endfor -%}
    {%- if not (flags.EMPTY or flags.SAMPLE) and is_of_this_environment(progress) %}
    insert into {{ progress.render() }} (model_name, load_number, recorded_at)
    select
        '{{ progress_name(relation) }}' as model_name,
        reached.load_number,
        current_timestamp() as recorded_at
    from (
        {%- if upstream %}
        -- An upstream model that has recorded nothing is unknown.
        select
            case when count(*) = {{ upstream | length }} then min(latest.load_number) else cast(-1 as bigint) end
                as load_number
        from (
            select
                model_name,
                max_by(load_number, recorded_at) as load_number
            from {{ progress.render() }}
            where model_name in ('{{ names | join("', '") }}')
            group by model_name
        ) as latest
        {%- else %}
        select coalesce(max(load_number), cast(0 as bigint)) as load_number
        from {{ loaded.render() }}
        {%- endif %}
    ) as reached
    cross join (
        select coalesce(max_by(load_number, recorded_at), cast(-2 as bigint)) as load_number
        from {{ progress.render() }}
        where model_name = '{{ progress_name(relation) }}'
    ) as recorded
    where reached.load_number <> recorded.load_number
    {%- endif %}
{%- endmacro %}
