-- Grain: one row per source file, ingestion and load: what has reached Silver, numbered in the order in which dbt saw it.
--
-- This is how the incremental models know what is new. A watermark over ingested_at would lose rows: the time is set
-- when a micro batch starts, so an ingest that commits late brings rows older than those that dbt has read. Here a file
-- is new when it is not in this table, or has another number of rows than its last row here says, whatever its time. The
-- price is a scan of two columns of silver.orders.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        full_refresh=false,
    )
}}

with deliveries as (

    select * from {{ ref('stg_orders__order_events') }}

),

arrived as (

    select
        source_file,
        ingested_at,
        count(*) as deliveries
    from deliveries
    group by source_file, ingested_at

),

{% if is_incremental() -%}
known as (

    select
        source_file,
        ingested_at,
        max_by(deliveries, load_number) as deliveries
    from {{ this }}
    group by source_file, ingested_at

),

latest as (

    select coalesce(max(load_number), 0) as load_number
    from {{ this }}

),

int_orders__loaded as (

    select
        arrived.source_file,
        arrived.deliveries,
        cast(latest.load_number + 1 as bigint) as load_number,
        arrived.ingested_at
    from arrived
    left join known
        on arrived.source_file = known.source_file and arrived.ingested_at = known.ingested_at
    cross join latest
    where known.deliveries is null or known.deliveries <> arrived.deliveries

)
{%- else -%}
int_orders__loaded as (

    select
        source_file,
        deliveries,
        cast(1 as bigint) as load_number,
        ingested_at
    from arrived

)
{%- endif %}

select * from int_orders__loaded
