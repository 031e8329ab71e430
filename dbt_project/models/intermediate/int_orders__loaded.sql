-- Grain: one row per source file and ingestion: what has reached Silver, numbered as dbt came to see it.
--
-- This is how the incremental models know what is new. A watermark over ingested_at would lose rows: the time is
-- set when a micro batch starts, so an ingest that commits late brings rows older than those that dbt has read.
-- Here a file is new when it is not in this table, or has another number of rows than this table says, whatever
-- its time. The price is a scan of two columns of silver.orders.
{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key=['source_file', 'ingested_at'],
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
latest as (

    select max(load_number) as load_number from {{ this }}

),

{% endif -%}
int_orders__loaded as (

    select
        arrived.source_file,
        arrived.deliveries,
        {%- if is_incremental() %}
        cast(coalesce(latest.load_number, 0) + 1 as bigint) as load_number,
        {%- else %}
        cast(1 as bigint) as load_number,
        {%- endif %}
        arrived.ingested_at
    from arrived
    {%- if is_incremental() %}
    left join {{ this }} as known
        on arrived.source_file = known.source_file and arrived.ingested_at = known.ingested_at
    cross join latest
    where known.deliveries is null or known.deliveries <> arrived.deliveries
    {%- endif %}

)

select * from int_orders__loaded
