-- Grain: one row per calendar day, for metrics over days on which nothing happened. It spans more than the orders do,
-- on purpose: a metric may be asked for last week before last week's first order has come.

{{ config(materialized='table', access='protected', group='revenue', contract={'enforced': true}) }}

with days as (

    select explode(
        sequence(
            cast('{{ var("time_spine_first_day") }}' as date),
            cast('{{ var("time_spine_last_day") }}' as date),
            interval 1 day
        )
    ) as date_day

),

time_spine_daily as (

    select date_day
    from days

)

select * from time_spine_daily
