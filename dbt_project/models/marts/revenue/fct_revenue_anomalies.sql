-- Grain: one row per day from the first to the last day with an order, judged against earlier days of the same weekday. A
-- table over days, not over orders: each build judges every day again, which costs one small join. The score is the modified
-- z-score of Iglewicz and Hoaglin (How to Detect and Handle Outliers, 1993): the distance from the median in units of a
-- robust standard deviation. Neither moves much when a baseline day was itself an anomaly. All of it is exact decimal
-- arithmetic: medians are kept doubled until they are shown.
with days as (

    select
        date_ordered,
        net_revenue,
        max(case when orders > 0 then date_ordered end) over () as last_order_day
    from {{ ref('fct_daily_revenue') }}

),

-- Days after the last order have refunds alone: they are no quiet days yet.
daily as (

    select
        date_ordered,
        net_revenue,
        date_ordered < last_order_day as is_complete
    from days
    where date_ordered <= last_order_day

),

weeks_back as (

    select explode(sequence(1, {{ var('anomaly_baseline_weeks') }})) as weeks

),

baseline_days as (

    select
        daily.date_ordered,
        daily.net_revenue,
        earlier.net_revenue as earlier_revenue
    from daily
    cross join weeks_back
    inner join daily as earlier on earlier.date_ordered = date_sub(daily.date_ordered, 7 * weeks_back.weeks)

),

baselines as (

    select
        date_ordered,
        count(*) as baseline_days,
        sort_array(collect_list(earlier_revenue)) as revenues
    from baseline_days
    group by date_ordered

),

medians as (

    select
        date_ordered,
        baseline_days,
        {{ twice_median('revenues', 'baseline_days') | indent(8) }} as twice_baseline
    from baselines

),

deviations as (

    select
        baseline_days.date_ordered,
        count(*) as baseline_days,
        sort_array(collect_list(abs(2 * baseline_days.earlier_revenue - medians.twice_baseline))) as twice_deviations,
        sum(abs(2 * baseline_days.earlier_revenue - medians.twice_baseline)) as sum_of_twice_deviations
    from baseline_days
    inner join medians on baseline_days.date_ordered = medians.date_ordered
    group by baseline_days.date_ordered

),

deviations_measured as (

    select
        date_ordered,
        cast({{ twice_median('twice_deviations', 'baseline_days') }} as decimal(22, 2)) as four_median_deviations,
        cast(cast(sum_of_twice_deviations as decimal(30, 10)) / (2 * baseline_days) as decimal(22, 6)) as mean_deviation
    from deviations

),

-- 1.4826 and 1.2533 turn a median and a mean absolute deviation into a standard deviation of a normal
-- distribution. The floor keeps a baseline of nearly equal days from making every ordinary day an anomaly.
spreads as (

    select
        medians.date_ordered,
        medians.baseline_days,
        medians.twice_baseline,
        greatest(
            case
                when deviations.four_median_deviations > 0
                    then cast(cast(0.37065 as decimal(6, 5)) * deviations.four_median_deviations as decimal(22, 6))
                else cast(cast(1.2533 as decimal(5, 4)) * deviations.mean_deviation as decimal(22, 6))
            end,
            cast(
                cast({{ var('anomaly_noise_floor') }} as decimal(9, 6)) * abs(medians.twice_baseline) / 2 as decimal(22, 6)
            )
        ) as spread
    from medians
    inner join deviations_measured as deviations on medians.date_ordered = deviations.date_ordered
    where medians.baseline_days >= {{ var('anomaly_minimum_weeks') }}

),

scored as (

    select
        daily.date_ordered,
        daily.net_revenue,
        daily.is_complete,
        coalesce(spreads.baseline_days, 0) as baseline_days,
        {{ money_per('spreads.twice_baseline', '2') }} as baseline_revenue,
        spreads.spread as baseline_spread,
        cast(
            cast(2 * daily.net_revenue - spreads.twice_baseline as decimal(22, 2)) / nullif(2 * spreads.spread, 0)
            as decimal(18, 4)
        ) as anomaly_score
    from daily
    left join spreads on daily.date_ordered = spreads.date_ordered

),

judged as (

    select
        *,
        case
            when anomaly_score >= {{ var('anomaly_threshold') }} then 'high'
            when anomaly_score <= -{{ var('anomaly_threshold') }} and is_complete then 'low'
            else 'none'
        end as anomaly
    from scored

),

fct_revenue_anomalies as (

    select
        date_ordered,
        anomaly,
        cast(baseline_days as int) as baseline_days,
        net_revenue,
        baseline_revenue,
        cast(baseline_spread as decimal(18, 2)) as baseline_spread,
        anomaly_score,
        is_complete,
        anomaly <> 'none' as is_anomaly
    from judged

)

select * from fct_revenue_anomalies
