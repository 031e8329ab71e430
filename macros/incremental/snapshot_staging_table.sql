{#
    dbt's query for what a snapshot has to change, but for `--empty` and `--sample`: of a part of the rows it must not conclude
    that the others are gone, which would end their periods for good.

    Args (from dbt):
        strategy, source_sql, target_relation.
    Example: dbt calls it for each snapshot.
#}
{% macro snapshot_staging_table(strategy, source_sql, target_relation) -%}
    {%- if flags.EMPTY or flags.SAMPLE -%}
        {%- do strategy.update({'hard_deletes': 'ignore'}) -%}
    {%- endif -%}
    {{ return(adapter.dispatch('snapshot_staging_table', 'dbt')(strategy, source_sql, target_relation)) }}
{%- endmacro %}
