{#
    The name under which int_marts__progressed keeps a model: catalog.schema.table, so that a record holds for one table only. A
    table that was copied or deferred to another environment has none there, and is built in full.

    Args:
        relation (required): the model's relation.
    Example: `where model_name = '{{ progress_name(this) }}'`
#}
{% macro progress_name(relation) -%}
    {{ return((relation.database ~ '.' ~ relation.schema ~ '.' ~ relation.identifier) | lower) }}
{%- endmacro %}
