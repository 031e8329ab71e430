{#
    KPIs as rows, each with its value one period and one year before: the query of fct_kpis_daily and fct_kpis_monthly.

    Args:
        relation (required): a CTE with one row per period, all periods present, one column per KPI.
        period (required): its DATE column, the first day of the period.
        previous (required): an expression for the first day of the period before.
        kpis (required): names of the columns, each castable to DECIMAL(18, 2).
    Example: see fct_kpis_daily.
    Note: a rate against zero, or against a period before the first, is NULL: there is nothing to compare with.
#}
{% macro kpi_changes(relation, period, previous, kpis) -%}
    with long_kpis as (

        {%- for kpi in kpis %}
        select
            {{ period }},
            '{{ kpi }}' as kpi,
            cast({{ kpi }} as decimal(18, 2)) as kpi_value,
            is_complete
        from {{ relation }}
        {%- if not loop.last %}
        union all
        {%- endif %}
        {%- endfor %}

    )

    select
        current_period.{{ period }},
        current_period.kpi,
        current_period.kpi_value,
        previous_period.kpi_value as previous_value,
        cast(current_period.kpi_value - previous_period.kpi_value as decimal(18, 2)) as previous_change,
        {{ ratio('current_period.kpi_value - previous_period.kpi_value', 'previous_period.kpi_value') }}
            as previous_change_rate,
        last_year.kpi_value as last_year_value,
        cast(current_period.kpi_value - last_year.kpi_value as decimal(18, 2)) as last_year_change,
        {{ ratio('current_period.kpi_value - last_year.kpi_value', 'last_year.kpi_value') }} as last_year_change_rate,
        current_period.is_complete
    from long_kpis as current_period
    left join long_kpis as previous_period
        on
            current_period.kpi = previous_period.kpi
            and previous_period.{{ period }} = {{ previous }}
    left join long_kpis as last_year
        on
            current_period.kpi = last_year.kpi
            and last_year.{{ period }} = add_months(current_period.{{ period }}, -12)
{%- endmacro %}
