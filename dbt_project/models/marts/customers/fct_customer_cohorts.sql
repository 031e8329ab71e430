-- Grain: one row per cohort (the month of a customer's first order) and month since, 0 being that month itself, up
-- to the month of the last order. Months in which nobody of the cohort ordered are rows of zeros.
-- cumulative_revenue does not add up. A table over customers per month, rebuilt each time; it never reads orders.
with customer_months as (

    select * from {{ ref('int_customers__months_aggregated') }}
    where orders > 0

),

customers as (

    select
        customer_id,
        cast(date_trunc('month', first_order_date) as date) as cohort_month
    from {{ ref('int_customers__orders_aggregated') }}

),

sizes as (

    select
        cohort_month,
        count(*) as cohort_customers
    from customers
    group by cohort_month

),

last_month as (

    select max(order_month) as order_month
    from customer_months

),

periods as (

    select
        sizes.cohort_month,
        sizes.cohort_customers,
        explode(sequence(sizes.cohort_month, last_month.order_month, interval 1 month)) as activity_month
    from sizes
    cross join last_month

),

activity as (

    select
        customers.cohort_month,
        customer_months.order_month as activity_month,
        count(*) as active_customers,
        sum(customer_months.orders) as orders,
        sum(customer_months.net_revenue) as net_revenue
    from customer_months
    inner join customers on customer_months.customer_id = customers.customer_id
    group by customers.cohort_month, customer_months.order_month

),

filled as (

    select
        periods.cohort_month,
        periods.activity_month,
        cast(months_between(periods.activity_month, periods.cohort_month) as int) as months_since,
        periods.cohort_customers,
        coalesce(activity.active_customers, 0) as active_customers,
        coalesce(activity.orders, 0) as orders,
        coalesce(activity.net_revenue, 0) as net_revenue
    from periods
    left join activity
        on periods.cohort_month = activity.cohort_month and periods.activity_month = activity.activity_month

),

cumulated as (

    select
        *,
        sum(net_revenue) over (
            partition by cohort_month order by activity_month
            rows between unbounded preceding and current row
        ) as cumulative_revenue
    from filled

),

fct_customer_cohorts as (

    select
        cohort_month,
        months_since,
        activity_month,
        cohort_customers,
        active_customers,
        orders,
        {{ ratio('active_customers', 'cohort_customers') }} as retention_rate,
        cast(net_revenue as decimal(18, 2)) as net_revenue,
        cast(cumulative_revenue as decimal(18, 2)) as cumulative_revenue,
        {{ money_per('cumulative_revenue', 'cohort_customers') }} as cumulative_revenue_per_customer
    from cumulated

)

select * from fct_customer_cohorts
