{% macro generate_schema_name(custom_schema_name, node) -%}
  {{ custom_schema_name if custom_schema_name and target.schema == 'gold' else target.schema }}
{%- endmacro %}
