{#
    The dates in which orders have changed since this model was last built, as a list of SQL literals (macro date_list).

    Args:
        column (required): a DATE column of int_orders__changed: date_ordered, order_month or event_month.
        relation (required): the model, `this`.
    Example: `where order_month in ({{ changed_dates('order_month', this) }})`
#}
{% macro changed_dates(column, relation) -%}
    {{ return(date_list(
        'select distinct ' ~ column ~ ' from ' ~ ref('int_orders__changed')
        ~ ' where load_number > ' ~ last_load(relation)
    )) }}
{%- endmacro %}
