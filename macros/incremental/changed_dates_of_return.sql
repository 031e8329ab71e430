{#
    The days on which something was, or once was, returned of the orders that have changed since this model was last built, as
    a list of SQL literals (macro date_list). A return stays in fct_returns when it no longer counts, so that its day is found.

    Args:
        relation (required): the model, `this`.
    Example: `where return_date in ({{ changed_dates_of_return(this) }})`
#}
{% macro changed_dates_of_return(relation) -%}
    {{ return(date_list(
        'select distinct return_date from ' ~ ref('fct_returns')
        ~ ' where event_month in (' ~ changed_dates('event_month', relation) ~ ')'
        ~ ' and order_id in (select order_id from ' ~ ref('int_orders__changed')
        ~ ' where load_number > ' ~ last_load(relation) ~ ')'
    )) }}
{%- endmacro %}
