{#
    Whether a relation that a model reads is in the schema that this model is built in, and is there: with `--defer` it may
    be another environment's, whose bookkeeping must be neither believed nor written.

    Args:
        relation (required): a relation, as ref() gives it.
    Example: `{% if is_of_this_environment(ref('int_marts__progressed')) %}`
#}
{% macro is_of_this_environment(relation) -%}
    {{ return(
        relation.database == this.database
        and relation.schema == this.schema
        and load_relation(api.Relation.create(relation.database, relation.schema, relation.identifier)) is not none
    ) }}
{%- endmacro %}
