-- Grain: one row per cohort (the month of a customer's first order) and month since, 0 being that month itself, up
-- to the month of the last order. Months in which nobody of the cohort ordered are rows of zeros.
-- cumulative_revenue does not add up. It reads customers per month, never orders. An incremental build counts two kinds of
-- months again: those in which orders have changed, and all months of a customer whose first order may be another one now,
-- since the customer moves to another cohort with them.
-- depends_on: {{ ref('int_orders__changed') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        incremental_predicates=["cohort_month >= date'0001-01-01'"],
        pre_hook="{{ forget_progress(this) }}",
        post_hook="{{ record_progress(this, ['int_customers__months_aggregated', 'int_customers__orders_aggregated']) }}",
    )
}}

{% if is_incremental() -%}
    {%- set months_of_moved_customers -%}
        with changed as (

            select
                customer_id,
                min(order_month) as first_changed_month
            from {{ ref('int_orders__changed') }}
            where load_number > {{ last_load(this) }}
            group by customer_id

        ),

        lives as (

            select
                cast(date_trunc('month', customers.first_order_date) as date) as first_month,
                cast(date_trunc('month', customers.last_order_date) as date) as last_month
            from {{ ref('int_customers__orders_aggregated') }} as customers
            inner join changed on customers.customer_id = changed.customer_id
            where changed.first_changed_month <= customers.first_order_date

        ),

        months as (

            select explode(sequence(first_month, last_month, interval 1 month)) as order_month
            from lives

        )

        select distinct order_month from months
    {%- endset -%}
    {%- set changed_months = changed_dates('order_month', this) ~ ', ' ~ date_list(months_of_moved_customers) -%}
{%- endif %}

with customer_months as (

    select * from {{ ref('int_customers__months_aggregated') }}
    where
        orders > 0
        {%- if is_incremental() %}
        and order_month in ({{ changed_months }})
        {%- endif %}

),

customers as (

    select
        customer_id,
        last_order_date,
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

    select cast(date_trunc('month', max(last_order_date)) as date) as order_month
    from customers

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
    {%- if is_incremental() %}

    union all

    select
        cohort_month,
        activity_month,
        active_customers,
        orders,
        net_revenue
    from {{ this }}
    where activity_month not in ({{ changed_months }})
    {%- endif %}

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
