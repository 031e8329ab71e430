-- Grain: one row per pipeline update, with what its usage costs at list price.
-- Costs and units add up. List price is an upper bound: discounts are not in the system tables. Deliberately absent: the
-- SQL warehouse that dbt runs on, whose usage names no run.

with updates as (

    select * from {{ ref('int_operations__updates_summarised') }}

),

costs as (

    select
        update_id,
        sum(usage_quantity) as usage_dbu,
        sum(list_cost_usd) as list_cost_usd,
        count_if(list_price is null) as unpriced_records,
        min(usage_start_at) as usage_start_at,
        max(usage_end_at) as usage_end_at
    from {{ ref('int_operations__usage_priced') }}
    where update_id is not null
    group by update_id

),

fct_run_costs as (

    select
        updates.update_id,
        updates.run_id,
        updates.pipeline_id,
        updates.pipeline_name,
        case
            when costs.unpriced_records > 0 then 'price_missing'
            when costs.update_id is not null then 'billed'
            when '{{ billing_catalog() }}' = '' then 'not_applicable'
            else 'pending'
        end as cost_status,
        cast(costs.usage_dbu as decimal(38, 6)) as usage_dbu,
        cast(costs.list_cost_usd as decimal(38, 6)) as list_cost_usd,
        costs.usage_start_at,
        costs.usage_end_at,
        updates.started_at
    from updates
    left join costs
        on updates.update_id = costs.update_id

)

select * from fct_run_costs
