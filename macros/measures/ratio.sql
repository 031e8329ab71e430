{#
    A share or a rate as DECIMAL(18, 6), 1 meaning all; NULL where the whole is zero or unknown.

    Args:
        part (required): an expression in BIGINT or DECIMAL.
        whole (required): likewise.
        type (optional, default decimal(18, 6)): the DECIMAL type of the quotient.
    Example: `{{ ratio('active_customers', 'cohort_customers') }} as retention_rate`; 1 of 3 is 0.333333, 1 of 0 is NULL.
    Note: the sign is that of the quotient; a change against a negative whole turns round, so use it on a whole that is
    positive or zero.
#}
{% macro ratio(part, whole, type='decimal(18, 6)') -%}
    cast(cast({{ part }} as decimal(30, 10)) / nullif({{ whole }}, 0) as {{ type }})
{%- endmacro %}
