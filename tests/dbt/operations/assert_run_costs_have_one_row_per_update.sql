-- Guards the join to list prices: periods of validity that overlap, or a price in two currencies, would multiply an
-- update's cost. The units of an update must be what was billed for it, once.
with billed as (

    select
        update_id,
        cast(sum(usage_quantity) as decimal(38, 6)) as usage_dbu
    from {{ ref('stg_billing__usage') }}
    where update_id is not null
    group by update_id

)

select
    costs.update_id,
    costs.usage_dbu,
    billed.usage_dbu as billed_dbu
from {{ ref('fct_run_costs') }} as costs
inner join billed
    on costs.update_id = billed.update_id
where costs.usage_dbu != billed.usage_dbu
