{#
    The predicate by which a data test looks at what has changed: rows of the orders, or customers, with events in the last three
    loads. Three, so that a run whose tests failed, or did not come so far, has not taken their rows out of sight.

    Args:
        partition (required): the column of the model that its files are divided by, and a DATE column of int_orders__changed:
            order_month or event_month.
        key (optional, default 'order_id'): order_id or customer_id.
    Variables:
        test_scope: changed, or all, which makes the predicate true.
    Example: `where {{ of_changed_orders('order_month') }}`
    Note: months and load are literals, so that files of others are not read. All rows are looked at in a full refresh, and
        as long as the first load is among the last three: int_orders__changed does not know the orders of a first build.
#}
{% macro of_changed_orders(partition, key='order_id') -%}
    {%- set scope = var('test_scope', 'changed') -%}
    {%- if execute and scope not in ('changed', 'all') -%}
        {{ exceptions.raise_compiler_error(
            "Variable test_scope is " ~ scope ~ ". Allowed are changed and all; anything else would test nothing."
            ~ " Next: --vars '{\"test_scope\": \"all\"}' tests every row."
        ) }}
    {%- endif -%}
    {%- set changes, loads = ref('int_orders__changed'), ref('int_orders__loaded') -%}
    {%- set months, after_load = [], 0 -%}
    {%- if execute and scope == 'changed' and not flags.FULL_REFRESH and flags.WHICH != 'generate' -%}
        {%- set found = run_query(
            'with recent as (select coalesce(max(load_number), 0) - 3 as after_load from ' ~ loads ~ ')'
            ~ ' select recent.after_load, cast(null as date) as month from recent'
            ~ ' union all select distinct recent.after_load, changes.' ~ partition ~ ' as month from ' ~ changes
            ~ ' as changes cross join recent where changes.load_number > recent.after_load'
        ) -%}
        {%- set after_load = found.columns[0].values()[0] | int -%}
        {%- set months = found.columns[1].values() -%}
    {%- endif -%}
    {%- if after_load <= 0 -%}
        true
    {%- else -%}
        {{ partition }} in ({{ date_literals(months) }})
        and {{ key }} in (select {{ key }} from {{ changes }} where load_number > {{ after_load }})
    {%- endif -%}
{%- endmacro %}
