{#
    Catalog that holds `billing.usage` and `billing.list_prices`, or an empty string where there is none to read.

    Args: none.
    Example: `{% if billing_catalog() %} ... {% endif %}`
    Note: configuration alone decides: variable billing_catalog, else environment variable ORDERS_BILLING_CATALOG (the job
    cluster sets it to `system`). A workspace whose runner has no grant on the system tables leaves both empty.
#}
{% macro billing_catalog() -%}
    {{ return(var('billing_catalog', '') or env_var('ORDERS_BILLING_CATALOG', '')) }}
{%- endmacro %}
