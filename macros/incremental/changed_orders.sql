{#
    The CTEs with which a model over orders opens: `changed`, which is every order, customer, day and month with new events since
    the model was last built, and one CTE for each relation, of its rows of these orders alone. In a full build there is no
    `changed`, and the relations are whole.

    Args:
        relations (required): per name of a CTE the model that it reads, fct_order_events or one with a column order_month.
        by (optional, default 'order_id'): what of a change is read again, order_id or customer_id: all rows with that value
            in the changed months.
    Example: `with {{ changed_orders({'orders': 'fct_orders', 'events': 'fct_order_events'}) }},`
    NB: the model need not say `-- depends_on: int_orders__changed`: the macro names it in a full build, too.
#}
{% macro changed_orders(relations, by='order_id') -%}
    {%- set changes = ref('int_orders__changed') -%}
    {%- if is_incremental() -%}
    changed as (

        select * from {{ changes }}
        where load_number > {{ last_load(this) }}

    ),

    {% endif -%}
    {%- for name, relation in relations.items() -%}
    {%- set month = 'event_month' if relation == 'fct_order_events' else 'order_month' -%}
    {{ name }} as (

        select * from {{ ref(relation) }}
        {%- if is_incremental() %}
        where
            {{ month }} in ({{ changed_dates(month, this) }})
            and {{ by }} in (select {{ by }} from changed)
        {%- endif %}

    ){{ ",\n\n    " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
