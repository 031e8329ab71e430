-- Grain: one row per day of fct_daily_revenue and KPI. A table over days, rebuilt each time.
with daily as (

    select
        *,
        -- Days after the last order have refunds alone.
        date_ordered < max(case when orders > 0 then date_ordered end) over () as is_complete
    from {{ ref('fct_daily_revenue') }}

),

fct_kpis_daily as (

    {{ kpi_changes(
        'daily',
        'date_ordered',
        'date_sub(current_period.date_ordered, 1)',
        ['net_revenue', 'gross_revenue', 'refunded_revenue', 'orders', 'customers', 'new_customers', 'average_order_value'],
    ) | indent }}

)

select * from fct_kpis_daily
