{#
    What orders come to, per day, hour or item: the query behind fct_daily_revenue, fct_hourly_orders and
    fct_product_performance. Customers are counted in two steps, since a distinct count beside sums is slow on every engine.

    Args:
        relation (required): a CTE with one row per order, or per order and item, with the columns of the grain,
            customer_id, is_revenue, is_refund, items_sold, gross_revenue, refunded_revenue and net_revenue.
        grain (required): names of the columns that the rows are counted by; the first one is a DATE.
        changed (optional): for an incremental build, the dates of the first column that are counted again, as macro
            changed_dates gives them; the rows of all other dates are taken over from the model itself.
        more (optional, default []): names of further columns of the relation to be summed, in BIGINT.
    Example: `measured as ( {{ revenue_measures('orders', ['date_ordered'], changed_days) }} )`
#}
{% macro revenue_measures(relation, grain, changed=none, more=[]) -%}
    {%- set counts = ['orders', 'revenue_orders', 'refunded_orders', 'items_sold'] + more -%}
    {%- set amounts = ['gross_revenue', 'refunded_revenue', 'net_revenue'] -%}
    select
        {%- for column in grain %}
        {{ column }},
        {%- endfor %}
        {%- for count in counts %}
        cast(sum({{ count }}) as bigint) as {{ count }},
        {%- endfor %}
        count(*) as customers,
        {%- for amount in amounts %}
        cast(sum({{ amount }}) as decimal(18, 2)) as {{ amount }}{{ "," if not loop.last }}
        {%- endfor %}
    from (
        select
            {%- for column in grain %}
            {{ column }},
            {%- endfor %}
            customer_id,
            count(*) as orders,
            count_if(is_revenue) as revenue_orders,
            count_if(is_refund) as refunded_orders,
            {%- for column in ['items_sold'] + more + amounts %}
            sum({{ column }}) as {{ column }}{{ "," if not loop.last }}
            {%- endfor %}
        from {{ relation }}
        group by {{ grain | join(', ') }}, customer_id
    ) as customer_orders
    group by {{ grain | join(', ') }}
    {%- if changed is not none %}

    union all

    select
        {%- for column in grain + counts + ['customers'] + amounts %}
        {{ column }}{{ "," if not loop.last }}
        {%- endfor %}
    from {{ this }}
    where {{ grain[0] }} not in ({{ changed }})
    {%- endif %}
{%- endmacro %}
