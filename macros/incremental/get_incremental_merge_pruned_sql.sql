{#
    Incremental strategy `merge_pruned`: dbt's merge by unique_key, told beforehand which partitions of the target hold a
    row to be updated.

    Without it a merge reads every file of the target to find its matches. Here the partitions go into the merge as
    literals. If the partition is part of the key, they are those of the new rows. If it is not, a row may have moved: one
    narrow query over the key finds where it was, and new keys then touch no existing file at all.

    Args (from dbt):
        arg_dict: target_relation, temp_relation, unique_key, dest_columns, incremental_predicates.
    Config of the model: `partition_by`, one DATE column, and `unique_key`, one column or a list that has the partition in it.
    Example: `config(materialized='incremental', incremental_strategy='merge_pruned', unique_key='order_id',
        partition_by='order_month')`
    Note: the query of the model must not read `this`: Sail prunes such a merge wrongly.
#}
{% macro get_incremental_merge_pruned_sql(arg_dict) -%}
    {%- set partition_by = config.require('partition_by') -%}
    {%- set partition = partition_by if partition_by is string else partition_by[0] -%}
    {%- set unique_key = arg_dict['unique_key'] -%}
    {%- if unique_key is string -%}
        {%- set touched = date_list(
            "select distinct target." ~ partition ~ " from " ~ arg_dict['target_relation'] ~ " as target"
            ~ " where target." ~ unique_key ~ " in (select " ~ unique_key ~ " from " ~ arg_dict['temp_relation'] ~ ")"
        ) -%}
    {%- elif partition in unique_key -%}
        {%- set touched = date_list("select distinct " ~ partition ~ " from " ~ arg_dict['temp_relation']) -%}
    {%- else -%}
        {{ exceptions.raise_compiler_error(
            "merge_pruned: unique_key of " ~ this ~ " is " ~ unique_key ~ " and does not have the partition " ~ partition
            ~ " in it. Add it to the key, or use one column as the key, or incremental_strategy='merge'."
        ) }}
    {%- endif -%}
    {%- set predicates = (arg_dict['incremental_predicates'] or [])
        + ["DBT_INTERNAL_DEST." ~ partition ~ " in (" ~ touched ~ ")"] -%}
    {{ return(get_merge_sql(
        arg_dict['target_relation'], arg_dict['temp_relation'], unique_key, arg_dict['dest_columns'], predicates
    )) }}
{%- endmacro %}
