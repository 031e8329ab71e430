-- Grain: one row per SKU, cloud, unit and period of validity, in US dollars. Empty where no billing catalog is configured.

{% set list_prices = source('billing', 'list_prices') %}

with stg_billing__list_prices as (

    {% if billing_catalog() %}
    select
        sku_name,
        cloud,
        usage_unit,
        currency_code,
        cast(pricing.effective_list.default as decimal(38, 18)) as list_price,
        price_start_time as price_start_at,
        price_end_time as price_end_at
    from {{ list_prices }}
    where currency_code = 'USD'
    {% else %}
    select
        cast(null as string) as sku_name,
        cast(null as string) as cloud,
        cast(null as string) as usage_unit,
        cast(null as string) as currency_code,
        cast(null as decimal(38, 18)) as list_price,
        cast(null as timestamp) as price_start_at,
        cast(null as timestamp) as price_end_at
    where false
    {% endif %}

)

select * from stg_billing__list_prices
