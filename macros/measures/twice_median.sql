{#
    Twice the median of the numbers in a sorted array: exact, where half of the sum of two amounts would need another digit, and
    where median() of the engines goes through a floating-point number.

    Args:
        sorted (required): a sorted array of DECIMAL without NULLs.
        size (required): its size, at least 1.
    Example: `{{ twice_median('revenues', 'baseline_days') }} / 2`; of 1.00, 2.00, 4.00, 8.01 it is 2.00 + 4.00.
#}
{% macro twice_median(sorted, size) -%}
    element_at({{ sorted }}, cast(floor(({{ size }} + 1) / 2) as int))
    + element_at({{ sorted }}, cast(floor({{ size }} / 2) as int) + 1)
{%- endmacro %}
