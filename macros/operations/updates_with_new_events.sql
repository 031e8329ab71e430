{#
    Condition that keeps every event of the updates that got events since the last build; for incremental runs.

    Args:
        events (required): relation with update_id and event_at, one row per event.
        seen_until (required): column of `this` with the latest event time already summed into a row.
    Example: `where {{ updates_with_new_events(ref('stg_event_log__events'), 'last_event_at') }}`
    Note: an update is summed again from all of its events, never added to, so a build that met it half-way, and one that
    ran twice, leave the same row. Events of an update may be published late: `event_log_late_hours` is read again.
#}
{% macro updates_with_new_events(events, seen_until) -%}
    update_id in (
        select update_id
        from {{ events }}
        where event_at >= (
            select coalesce(max({{ seen_until }}), timestamp'1970-01-01 00:00:00')
                - interval {{ var('event_log_late_hours') | int }} hours
            from {{ this }}
        )
    )
{%- endmacro %}
