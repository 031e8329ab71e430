{#
    The pre-hook by which an incremental model says, before it is built from a part of its rows (`--empty`, `--sample`), that
    what it contains is unknown from here on: its next build is a full one (macro should_full_refresh).

    Args:
        relation (required): the model, `this`.
    Example: `pre_hook="{{ forget_progress(this) }}"`
    Note: before and not after, so that a build that is killed half way is unknown, too. Renders to nothing in a usual build.
#}
{% macro forget_progress(relation) -%}
    {%- set progress = ref('int_marts__progressed') -%}
    {%- if execute and (flags.EMPTY or flags.SAMPLE) and is_of_this_environment(progress) -%}
    insert into {{ progress.render() }} (model_name, load_number, recorded_at)
    select
        '{{ progress_name(relation) }}' as model_name,
        cast(-1 as bigint) as load_number,
        current_timestamp() as recorded_at
    {%- endif -%}
{%- endmacro %}
