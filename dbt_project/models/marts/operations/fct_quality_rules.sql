-- Grain: one row per pipeline update, dataset and quality rule that the update evaluated.
-- Records add up over updates, not over rules: one record can break several rules.
-- The trend compares the pass rate with the median of the previous updates. It needs quality_trend_minimum_updates of
-- them, and a distance that neither the rule's own scatter nor the size of the batch explains; else it stays quiet.

{% set history = var('quality_trend_updates') | int %}
{% set minimum_history = var('quality_trend_minimum_updates') | int %}
{% set minimum_distance = var('quality_trend_minimum_distance') | float %}

with updates as (

    select * from {{ ref('int_operations__updates_summarised') }}

),

results as (

    select
        rule_results.update_id,
        rule_results.dataset,
        rule_results.rule_name,
        rule_results.passed_records,
        rule_results.failed_records,
        rule_results.passed_records + rule_results.failed_records as checked_records,
        updates.run_id,
        updates.pipeline_name,
        updates.started_at
    from {{ ref('int_operations__rule_results_summed') }} as rule_results
    inner join updates
        on rule_results.update_id = updates.update_id

),

-- An update without records says nothing about a rule, so it has no place in any history.
measured as (

    select
        *,
        passed_records / cast(nullif(checked_records, 0) as double) as pass_rate,
        row_number() over (
            partition by dataset, rule_name
            order by started_at, update_id
        ) as position
    from results
    where checked_records > 0

),

paired as (

    select
        measured.update_id,
        measured.dataset,
        measured.rule_name,
        previous.pass_rate as previous_pass_rate,
        previous.failed_records as previous_failed_records,
        previous.position as previous_position
    from measured
    inner join measured as previous
        on
            measured.dataset = previous.dataset
            and measured.rule_name = previous.rule_name
            and previous.position between measured.position - {{ history }} and measured.position - 1

),

baselines as (

    select
        update_id,
        dataset,
        rule_name,
        count(*) as baseline_updates,
        median(previous_pass_rate) as baseline_pass_rate,
        sum(previous_failed_records) as baseline_failed_records,
        max_by(previous_pass_rate, previous_position) as previous_pass_rate
    from paired
    group by update_id, dataset, rule_name

),

-- Median absolute deviation; 1.4826 makes it comparable to a standard deviation (Iglewicz and Hoaglin, 1993).
scatter as (

    select
        paired.update_id,
        paired.dataset,
        paired.rule_name,
        1.4826 * median(abs(paired.previous_pass_rate - baselines.baseline_pass_rate)) as pass_rate_scatter
    from paired
    inner join baselines
        on
            paired.update_id = baselines.update_id
            and paired.dataset = baselines.dataset
            and paired.rule_name = baselines.rule_name
    group by paired.update_id, paired.dataset, paired.rule_name

),

compared as (

    select
        results.*,
        measured.pass_rate,
        coalesce(baselines.baseline_updates, 0) as baseline_updates,
        baselines.baseline_pass_rate,
        baselines.baseline_failed_records,
        baselines.previous_pass_rate,
        measured.pass_rate - baselines.baseline_pass_rate as pass_rate_change,
        greatest(
            3 * scatter.pass_rate_scatter,
            -- Three standard errors of a share among so many records.
            3 * sqrt(
                baselines.baseline_pass_rate * (1 - baselines.baseline_pass_rate)
                / nullif(results.checked_records, 0)
            ),
            cast({{ minimum_distance }} as double)
        ) as tolerance
    from results
    left join measured
        on
            results.update_id = measured.update_id
            and results.dataset = measured.dataset
            and results.rule_name = measured.rule_name
    left join baselines
        on
            results.update_id = baselines.update_id
            and results.dataset = baselines.dataset
            and results.rule_name = baselines.rule_name
    left join scatter
        on
            results.update_id = scatter.update_id
            and results.dataset = scatter.dataset
            and results.rule_name = scatter.rule_name

),

fct_quality_rules as (

    select
        sha2(concat_ws('|', update_id, dataset, rule_name), 256) as quality_result_id,
        update_id,
        run_id,
        pipeline_name,
        dataset,
        rule_name,
        case
            when checked_records = 0 then 'no_records'
            when baseline_updates < {{ minimum_history }} then 'insufficient_history'
            when pass_rate_change < -tolerance then 'worse'
            when pass_rate_change > tolerance then 'better'
            else 'stable'
        end as trend,
        cast(checked_records as bigint) as checked_records,
        cast(passed_records as bigint) as passed_records,
        cast(failed_records as bigint) as failed_records,
        cast(pass_rate as decimal(9, 6)) as pass_rate,
        cast(previous_pass_rate as decimal(9, 6)) as previous_pass_rate,
        cast(baseline_updates as bigint) as baseline_updates,
        cast(baseline_pass_rate as decimal(9, 6)) as baseline_pass_rate,
        cast(pass_rate_change as decimal(9, 6)) as pass_rate_change,
        cast(case when baseline_updates > 0 then tolerance end as decimal(9, 6)) as pass_rate_tolerance,
        coalesce(
            failed_records > 0
            and baseline_failed_records = 0
            and baseline_updates >= {{ minimum_history }},
            false
        ) as is_newly_failing,
        started_at
    from compared

)

select * from fct_quality_rules
