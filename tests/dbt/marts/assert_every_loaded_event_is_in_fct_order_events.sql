-- Guards against deliveries that the incremental build of fct_order_events never picks up: revenue would be missing, and
-- no other test would see it, since all marts would miss it alike. Looks at the files of the last three loads, so that
-- its cost follows what is new.
with loads as (

    select
        source_file,
        ingested_at,
        load_number,
        max(load_number) over () as last_load
    from {{ ref('int_orders__loaded') }}

),

recent_files as (

    select distinct
        source_file,
        ingested_at
    from loads
    where load_number > last_load - 3

)

select
    deliveries.order_event_id,
    deliveries.source_file
from {{ ref('int_orders__events_valued') }} as deliveries
inner join recent_files
    on deliveries.source_file = recent_files.source_file and deliveries.ingested_at = recent_files.ingested_at
left join {{ ref('fct_order_events') }} as events on deliveries.order_event_id = events.order_event_id
where events.order_event_id is null
