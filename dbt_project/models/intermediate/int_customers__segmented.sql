-- Grain: one row per customer with at least one order. The segment is the first rule of seed customer_segments, by
-- priority, that holds.
with scored as (

    select * from {{ ref('int_customers__rfm_scored') }}

),

rules as (

    select * from {{ ref('customer_segments') }}

),

-- Rules are joined to the few combinations of scores that occur, not to every customer.
combinations as (

    select distinct
        coalesce(recency_score, 0) as recency_score,
        coalesce(frequency_score, 0) as frequency_score,
        revenue_orders
    from scored

),

matches as (

    select
        combinations.recency_score,
        combinations.frequency_score,
        combinations.revenue_orders,
        min_by(rules.segment, rules.priority) as segment
    from combinations
    inner join rules
        on
            combinations.recency_score >= rules.min_recency_score
            and combinations.recency_score <= rules.max_recency_score
            and combinations.frequency_score >= rules.min_frequency_score
            and combinations.frequency_score <= rules.max_frequency_score
            and combinations.revenue_orders >= rules.min_revenue_orders
            and combinations.revenue_orders <= rules.max_revenue_orders
    group by combinations.recency_score, combinations.frequency_score, combinations.revenue_orders

),

int_customers__segmented as (

    select
        scored.customer_id,
        matches.segment,
        scored.recency_score,
        scored.frequency_score,
        scored.monetary_score
    from scored
    left join matches
        on
            coalesce(scored.recency_score, 0) = matches.recency_score
            and coalesce(scored.frequency_score, 0) = matches.frequency_score
            and scored.revenue_orders = matches.revenue_orders

)

select * from int_customers__segmented
