-- Grain: one row per incremental model and record of the load that it contains, the earlier ones folded into one.
--
-- Each incremental model adds its own row in a post-hook (macro record_progress), so a load counts as done only once the
-- model that needed it has been built. A model that fails, or is left out of a run, finds the loads again in its next
-- one. The latest record of a model holds; -1 says that its rows are unknown. Rows are only added, since several models end
-- at the same time and appends never conflict; the model itself, which comes before all of them, folds what earlier runs
-- have added.
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        incremental_predicates=['load_number >= -1'],
        full_refresh=false,
        on_schema_change='append_new_columns',
    )
}}

{% if is_incremental() -%}
with recorded as (

    select * from {{ this }}

)

select
    model_name,
    max_by(load_number, recorded_at) as load_number,
    max(recorded_at) as recorded_at
from recorded
group by model_name
{%- else -%}
select
    cast(null as string) as model_name,
    cast(null as bigint) as load_number,
    cast(null as timestamp) as recorded_at
where false
{%- endif %}
