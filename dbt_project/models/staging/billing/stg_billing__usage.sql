-- Grain: one row per usage record of a DLT pipeline. Empty where no billing catalog is configured.

{% set usage = source('billing', 'usage') %}

with stg_billing__usage as (

    {% if billing_catalog() %}
    select
        record_id as usage_record_id,
        usage_metadata.dlt_pipeline_id as pipeline_id,
        usage_metadata.dlt_update_id as update_id,
        sku_name,
        cloud,
        usage_unit,
        cast(usage_quantity as decimal(38, 18)) as usage_quantity,
        usage_start_time as usage_start_at,
        usage_end_time as usage_end_at
    from {{ usage }}
    where usage_metadata.dlt_pipeline_id is not null
    {% else %}
    select
        cast(null as string) as usage_record_id,
        cast(null as string) as pipeline_id,
        cast(null as string) as update_id,
        cast(null as string) as sku_name,
        cast(null as string) as cloud,
        cast(null as string) as usage_unit,
        cast(null as decimal(38, 18)) as usage_quantity,
        cast(null as timestamp) as usage_start_at,
        cast(null as timestamp) as usage_end_at
    where false
    {% endif %}

)

select * from stg_billing__usage
