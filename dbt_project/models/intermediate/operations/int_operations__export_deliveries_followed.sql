-- Grain: one row per exported model and run, with the delivery that brought its rows to Postgres: its own, or the next one,
-- since every export sends what the ones before it could not.

with int_operations__export_deliveries_followed as (

    select
        *,
        min(delivered_at) over (
            partition by model_name
            order by attempted_at, run_id
            rows between current row and unbounded following
        ) as arrived_at
    from {{ ref('stg_dbt__export_deliveries') }}

)

select * from int_operations__export_deliveries_followed
