{#
    Money per something, in cents, rounded half away from zero; NULL where there is nothing to divide by.

    Args:
        amount (required): an expression in DECIMAL.
        count (required): an expression in BIGINT.
    Example: `{{ money_per('net_revenue', 'revenue_orders') }} as average_order_value`; 10.00 over 3 is 3.33, over 0 is NULL.
    Note: engines give a quotient of decimals different scales. The wide numerator leaves at least ten digits on each, so
    that the rounding to cents is the only one that shows.
#}
{% macro money_per(amount, count) -%}
    cast(cast({{ amount }} as decimal(30, 10)) / nullif({{ count }}, 0) as decimal(18, 2))
{%- endmacro %}
