-- Guards against a history in which a customer is in two segments at once, or in none: exactly one period of each customer of
-- dim_customers is open, and none ends before it begins.
with periods as (

    select
        customer_id,
        count_if(dbt_valid_to is null) as open_periods,
        count_if(dbt_valid_to < dbt_valid_from) as reversed_periods
    from {{ ref('customers_snapshot') }}
    group by customer_id

)

select
    coalesce(customers.customer_id, periods.customer_id) as customer_id,
    periods.open_periods,
    periods.reversed_periods
from {{ ref('dim_customers') }} as customers
full outer join periods on customers.customer_id = periods.customer_id
where
    periods.customer_id is null
    or periods.reversed_periods > 0
    or periods.open_periods <> case when customers.customer_id is null then 0 else 1 end
