-- Grain: one row per usage record of a pipeline, with the list price that was valid when the usage ended.

with usage as (

    select * from {{ ref('stg_billing__usage') }}

),

list_prices as (

    select * from {{ ref('stg_billing__list_prices') }}

),

-- Periods of validity that overlap would count a usage record once per price: only the latest one applies.
priced as (

    select
        usage.*,
        list_prices.list_price,
        row_number() over (
            partition by usage.usage_record_id
            order by list_prices.price_start_at desc nulls last
        ) as price_rank
    from usage
    left join list_prices
        on
            usage.sku_name = list_prices.sku_name
            and usage.cloud = list_prices.cloud
            and usage.usage_unit = list_prices.usage_unit
            and usage.usage_end_at >= list_prices.price_start_at
            and (list_prices.price_end_at is null or usage.usage_end_at < list_prices.price_end_at)

),

int_operations__usage_priced as (

    select
        usage_record_id,
        pipeline_id,
        update_id,
        sku_name,
        usage_unit,
        usage_quantity,
        list_price,
        cast(usage_quantity * list_price as decimal(38, 6)) as list_cost_usd,
        usage_start_at,
        usage_end_at
    from priced
    where price_rank = 1

)

select * from int_operations__usage_priced
