{#
    The last load that a model contains, as a scalar subquery: 0 before its first build was recorded.

    Args:
        relation (required): the model, `this`.
    Example: `where load_number > {{ last_load(this) }}`
#}
{% macro last_load(relation) -%}
    (
        select coalesce(max_by(load_number, recorded_at), 0)
        from {{ ref('int_marts__progressed') }}
        where model_name = '{{ progress_name(relation) }}'
    )
{%- endmacro %}
