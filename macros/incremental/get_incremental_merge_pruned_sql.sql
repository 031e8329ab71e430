{#
    Incremental strategy `merge_pruned`: dbt's merge by unique_key, told beforehand which partitions of the target hold a
    row to be updated.

    Without it a merge reads every file of the target to find its matches. Here the partitions come from one narrow query over
    the key, and go into the merge as literals; new keys then touch no existing file at all.

    Args (from dbt):
        arg_dict: target_relation, temp_relation, unique_key, dest_columns, incremental_predicates.
    Config of the model: `partition_by` (one DATE column) and `unique_key` (one column).
    Example: `config(materialized='incremental', incremental_strategy='merge_pruned', unique_key='order_id',
        partition_by='order_month')`
    NB: a row may move to another partition: it is found in its old one and written to the new one.
#}
{% macro get_incremental_merge_pruned_sql(arg_dict) -%}
    {%- set partition_by = config.require('partition_by') -%}
    {%- set partition = partition_by if partition_by is string else partition_by[0] -%}
    {%- set unique_key = arg_dict['unique_key'] -%}
    {%- if unique_key is not string -%}
        {{ exceptions.raise_compiler_error(
            "merge_pruned: unique_key of " ~ this ~ " is " ~ unique_key ~ ", one column name was expected. "
            ~ "Use incremental_strategy='merge' for a key of several columns."
        ) }}
    {%- endif -%}
    {%- set touched = date_list(
        "select distinct target." ~ partition ~ " from " ~ arg_dict['target_relation'] ~ " as target"
        ~ " where target." ~ unique_key ~ " in (select " ~ unique_key ~ " from " ~ arg_dict['temp_relation'] ~ ")"
    ) -%}
    {%- set predicates = (arg_dict['incremental_predicates'] or [])
        + ["DBT_INTERNAL_DEST." ~ partition ~ " in (" ~ touched ~ ")"] -%}
    {{ return(get_merge_sql(
        arg_dict['target_relation'], arg_dict['temp_relation'], unique_key, arg_dict['dest_columns'], predicates
    )) }}
{%- endmacro %}
