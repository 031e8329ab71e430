{#
    Order events, each with what it does to its line: three CTEs, the last of which is `applied`.

    An event states its line again (any status but one that is a refund), or is a return: it takes back what it names. The
    latest statement of a line counts, and of the returns those after it; a return that a later statement follows is
    superseded. Returns are applied one after the other, until all that was stated is back: pieces and value each on its own.

    Args:
        events (required): name of a CTE with the columns of fct_order_events, all events of each of its orders.
    Example: `with events as (...), {{ returns_applied('events') }} select * from applied`
    Adds:
        line_recency: 1 for the latest event of the line.
        is_statement: the event is the latest statement of its line. is_return: it is a return after it.
        stated_items, stated_value, stated_is_gross: of the line's latest statement; NULL for a line that has none.
        items_returned, value_refunded: what the return takes back, within what was stated; 0 for every other event.
        order_customer_id, order_date: of the latest statement of the whole order; of its latest return where it has none.
    Note: of two events at one moment the one further in the lifecycle is the later, then the one with the greater id.
#}
{% macro returns_applied(events) -%}
    {%- set latest_first = 'event_at desc, lifecycle_rank desc, order_event_id desc' -%}
    {%- set oldest_first = 'event_at, lifecycle_rank, order_event_id' -%}
    ranked_events as (

        select
            *,
            row_number() over (partition by order_id, line_key order by {{ latest_first }}) as line_recency,
            row_number() over (partition by order_id order by is_refund, {{ latest_first }}) as order_voice,
            sum(case when is_refund then 0 else 1 end) over (
                partition by order_id, line_key order by {{ latest_first }}
                rows between unbounded preceding and current row
            ) as statements_since
        from {{ events }}

    ),

    told_events as (

        select
            *,
            not is_refund and statements_since = 1 as is_statement,
            is_refund and statements_since = 0 as is_return,
            max(case when not is_refund and statements_since = 1 then items_ordered end)
                over (partition by order_id, line_key) as stated_items,
            max(case when not is_refund and statements_since = 1 then order_value end)
                over (partition by order_id, line_key) as stated_value,
            max(case when not is_refund and statements_since = 1 then is_gross end)
                over (partition by order_id, line_key) as stated_is_gross,
            coalesce(sum(case when is_refund and statements_since = 0 then items_ordered end) over (
                partition by order_id, line_key order by {{ oldest_first }}
                rows between unbounded preceding and 1 preceding
            ), 0) as items_before,
            coalesce(sum(case when is_refund and statements_since = 0 then order_value end) over (
                partition by order_id, line_key order by {{ oldest_first }}
                rows between unbounded preceding and 1 preceding
            ), 0) as value_before,
            max(case when order_voice = 1 then customer_id end) over (partition by order_id) as order_customer_id,
            max(case when order_voice = 1 then date_ordered end) over (partition by order_id) as order_date
        from ranked_events

    ),

    applied as (

        select
            *,
            cast(case
                when not is_return then 0
                when stated_items is null then items_ordered
                else greatest(least(items_ordered, stated_items - items_before), 0)
            end as bigint) as items_returned,
            cast(case
                when not is_return then 0
                when stated_value is null then order_value
                else greatest(least(order_value, stated_value - value_before), 0)
            end as decimal(18, 2)) as value_refunded
        from told_events

    )
{%- endmacro %}
