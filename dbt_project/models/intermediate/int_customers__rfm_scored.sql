-- Grain: one row per customer with at least one order; scores are NULL for one without an order that counts as revenue. A score
-- is the quintile of the customers who are strictly worse: 1 + floor(5 * customers below / all customers). Equal values
-- therefore have equal scores, at the price of quintiles of unequal size where many customers are equal. Customers below
-- are summed over the values that occur, which sorts far fewer rows than ranking every customer three times.
with customers as (

    select * from {{ ref('int_customers__orders_aggregated') }}

),

buyers as (

    select * from customers
    where revenue_orders > 0

),

everyone as (

    select count(*) as customers
    from buyers

),
{% for value in ['last_purchase_date', 'revenue_orders', 'net_revenue'] %}
{{ value }}_counted as (

    select
        {{ value }},
        count(*) as customers
    from buyers
    group by {{ value }}

),

{{ value }}_ranked as (

    select
        {{ value }},
        sum(customers) over (order by {{ value }} rows between unbounded preceding and current row) - customers
            as customers_below
    from {{ value }}_counted

),
{% endfor %}
int_customers__rfm_scored as (

    select
        customers.customer_id,
        customers.revenue_orders,
        cast(1 + floor(5 * recency.customers_below / everyone.customers) as int) as recency_score,
        cast(1 + floor(5 * frequency.customers_below / everyone.customers) as int) as frequency_score,
        cast(1 + floor(5 * monetary.customers_below / everyone.customers) as int) as monetary_score
    from customers
    cross join everyone
    left join last_purchase_date_ranked as recency
        on customers.last_purchase_date = recency.last_purchase_date and customers.revenue_orders > 0
    left join revenue_orders_ranked as frequency
        on customers.revenue_orders = frequency.revenue_orders
    left join net_revenue_ranked as monetary
        on customers.net_revenue = monetary.net_revenue and customers.revenue_orders > 0

)

select * from int_customers__rfm_scored
