{#
    Rows that only one of two relations has, or has more often.

    Args:
        expected (required): the relation that the model must equal.
#}
{% test equals(model, expected) %}

    {%- set columns = adapter.get_columns_in_relation(expected) | map(attribute='quoted') | join(', ') %}

    select
        {{ columns }},
        sum(side) as surplus
    from (
        select {{ columns }}, 1 as side from {{ model }}
        union all
        select {{ columns }}, -1 as side from {{ expected }}
    ) as sides
    group by {{ columns }}
    having sum(side) <> 0

{% endtest %}
