-- Grain: one row per incremental model and load that it has come to contain, the earlier ones folded into one.
--
-- Each incremental model adds its own row in a post-hook (macro record_progress), so a load counts as done only once the
-- model that needed it has been built. A model that fails, or is left out of a run, finds the loads again in its next
-- one. Rows are only added, since several models end at the same time and appends never conflict; the model itself, which
-- comes before all of them, folds what earlier runs have added.
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        incremental_predicates=['load_number >= 0'],
        full_refresh=false,
    )
}}

{% if is_incremental() -%}
select
    model_name,
    max(load_number) as load_number
from {{ this }}
group by model_name
{%- else -%}
select
    cast(null as string) as model_name,
    cast(null as bigint) as load_number
where false
{%- endif %}
