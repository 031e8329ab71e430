{#
    Combinations of columns that occur more than once: the key test of a model whose key has several columns.

    Args:
        columns (required): names of the columns that form the key.
    Example: `unique_combination: {arguments: {columns: [date_ordered, order_hour]}}`
#}
{% test unique_combination(model, columns) %}

    select
        {{ columns | join(', ') }},
        count(*) as rows_with_key
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1

{% endtest %}
