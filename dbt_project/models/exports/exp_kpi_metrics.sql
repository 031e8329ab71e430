-- Grain: one row per length of period (day, month), first day of the period, and KPI. Periods are those of fct_kpis_daily and
-- fct_kpis_monthly.
with daily as (

    select * from {{ ref('fct_kpis_daily') }}

),

monthly as (

    select * from {{ ref('fct_kpis_monthly') }}

),

exp_kpi_metrics as (

    select
        'day' as period,
        date_ordered as period_start,
        kpi,
        kpi_value,
        previous_value,
        last_year_value,
        is_complete
    from daily
    union all
    select
        'month' as period,
        order_month as period_start,
        kpi,
        kpi_value,
        previous_value,
        last_year_value,
        is_complete
    from monthly

)

select * from exp_kpi_metrics
