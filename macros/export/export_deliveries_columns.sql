{#
    Columns of ops.export_deliveries in order: name, type, comment.

    Args: none.
    Example: `{% for column in export_deliveries_columns() %}{{ column.name }}{% endfor %}`
    Note: the table is written to for years: add columns at the end, with `alter table ... add columns`; never retype one.
    dlt_ingest/metrics/delivery_record.py has the same columns and writes the rows.
#}
{% macro export_deliveries_columns() -%}
    {{ return([
        {'name': 'model_name', 'type': 'string', 'comment': 'Exported model; the table of schema metrics has its name.'},
        {'name': 'run_id', 'type': 'string', 'comment': 'Run that exported it; with the model the key.'},
        {'name': 'outcome', 'type': 'string', 'comment': 'delivered, undelivered or not_built.'},
        {'name': 'rows_read', 'type': 'bigint', 'comment': 'Rows that were sent.'},
        {'name': 'rows_changed', 'type': 'bigint', 'comment': 'Rows that are different in Postgres after the export.'},
        {'name': 'rows_rejected', 'type': 'bigint', 'comment': 'Rows that became dead letters in this export.'},
        {'name': 'open_dead_letters', 'type': 'bigint', 'comment': 'Dead letters of the table that were open after it.'},
        {'name': 'attempts', 'type': 'bigint', 'comment': 'Deliveries tried, the successful one included.'},
        {'name': 'duration_seconds', 'type': 'decimal(18,3)', 'comment': 'Seconds that the export took.'},
        {'name': 'error_class', 'type': 'string', 'comment': 'Class of the error, which says who must act.'},
        {'name': 'error_message', 'type': 'string', 'comment': 'What Postgres or the export said, without secrets.'},
        {'name': 'attempted_at', 'type': 'timestamp', 'comment': 'Since when the rows of this run wait or are there.'},
        {'name': 'delivered_at', 'type': 'timestamp', 'comment': 'When this run delivered; null while it has not.'},
        {'name': 'recorded_at', 'type': 'timestamp', 'comment': 'When the row was written.'},
    ]) }}
{%- endmacro %}
