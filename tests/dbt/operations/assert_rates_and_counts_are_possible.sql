-- Guards the sums over micro-batches: a rate outside 0 to 1, a negative count or a negative duration means that events
-- were read twice, or that counts of one moment were taken for totals.
select
    update_id,
    'fct_pipeline_runs' as model_name
from {{ ref('fct_pipeline_runs') }}
where
    quality_rate not between 0 and 1
    or duration_seconds < 0
    or rows_in < 0
    or rows_out < 0
    or rows_dropped < 0

union all

select
    update_id,
    'fct_dataset_runs' as model_name
from {{ ref('fct_dataset_runs') }}
where
    quality_rate not between 0 and 1
    or duration_seconds < 0
    or rows_written < 0
    or rows_dropped < 0

union all

select
    update_id,
    'fct_quality_rules' as model_name
from {{ ref('fct_quality_rules') }}
where
    pass_rate not between 0 and 1
    or passed_records < 0
    or failed_records < 0
