-- Grain: one row per day and business metric. Days are those of fct_daily_revenue, from the first to the last day with an
-- order, quiet days with zeros.
-- Money and counts add up over days; customers, average_order_value, baseline_revenue and revenue_anomaly do not.

with daily as (

    select * from {{ ref('fct_daily_revenue') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

anomalies as (

    select * from {{ ref('fct_revenue_anomalies') }}

),

statuses as (

    select
        date_ordered,
        count_if(status = 'pending') as pending_orders,
        count_if(status = 'approved') as approved_orders,
        count_if(status = 'fulfilled') as fulfilled_orders,
        count_if(status = 'cancelled') as cancelled_orders,
        count_if(status = 'returned') as returned_orders
    from orders
    group by date_ordered

),

days as (

    select
        daily.*,
        coalesce(statuses.pending_orders, 0) as pending_orders,
        coalesce(statuses.approved_orders, 0) as approved_orders,
        coalesce(statuses.fulfilled_orders, 0) as fulfilled_orders,
        coalesce(statuses.cancelled_orders, 0) as cancelled_orders,
        coalesce(statuses.returned_orders, 0) as returned_orders,
        anomalies.baseline_revenue,
        case anomalies.anomaly when 'high' then 1 when 'low' then -1 else 0 end as revenue_anomaly
    from daily
    left join statuses
        on daily.date_ordered = statuses.date_ordered
    left join anomalies
        on daily.date_ordered = anomalies.date_ordered

),

day_metrics as (

    select
        date_ordered as metric_date,
        {{ metrics_as_rows([
            ['gross_revenue', 'gross_revenue', 'USD'],
            ['refunded_revenue', 'refunded_revenue', 'USD'],
            ['net_revenue', 'net_revenue', 'USD'],
            ['refunds_issued', 'refunds_issued', 'USD'],
            ['new_customer_revenue', 'new_customer_revenue', 'USD'],
            ['average_order_value', 'average_order_value', 'USD'],
            ['baseline_revenue', 'baseline_revenue', 'USD'],
            ['revenue_anomaly', 'revenue_anomaly', 'sign'],
            ['orders', 'orders', 'orders'],
            ['pending_orders', 'pending_orders', 'orders'],
            ['approved_orders', 'approved_orders', 'orders'],
            ['fulfilled_orders', 'fulfilled_orders', 'orders'],
            ['cancelled_orders', 'cancelled_orders', 'orders'],
            ['returned_orders', 'returned_orders', 'orders'],
            ['items_sold', 'items_sold', 'items'],
            ['customers', 'customers', 'customers'],
            ['new_customers', 'new_customers', 'customers'],
        ], 'decimal(18, 2)') | indent(8) }}
    from days

),

exp_business_metrics as (

    select
        metric_date,
        metric_name,
        unit,
        metric_value
    from day_metrics
    -- A metric without a value (an average over no orders, a baseline before there is a history) is not a metric.
    where metric_value is not null

)

select * from exp_business_metrics
