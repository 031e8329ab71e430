{#
    The name `schema.table` of a dataset, in lower case, from any spelling the platform uses.

    Args:
        name (required): SQL expression of a table name with one, two or three levels, with or without backticks.
    Example: `{{ two_level_name('origin.dataset_name') }}` makes `silver.orders` of `ecommerce_prod.silver.orders`
    Note: the catalog is left out on purpose. It is the environment, and the operations marts of one environment never hold
    another's; so a dataset has the same name in dev, staging, prod and on a laptop. A one-level name stays as it is.
#}
{% macro two_level_name(name) -%}
    lower(substring_index(replace({{ name }}, '`', ''), '.', -2))
{%- endmacro %}
