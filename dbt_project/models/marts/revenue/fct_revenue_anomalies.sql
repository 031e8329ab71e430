-- Grain: one row per day of fct_daily_revenue, judged against earlier days of the same weekday. A table over days,
-- not over orders: each build judges every day again, which costs one small join. The score is the modified
-- z-score of Iglewicz and Hoaglin (How to Detect and Handle Outliers, 1993): the distance from the median in units
-- of a robust standard deviation. Neither moves much when a baseline day was itself an anomaly.
with daily as (

    select * from {{ ref('fct_daily_revenue') }}

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

medians as (

    select
        date_ordered,
        count(*) as baseline_days,
        median(earlier_revenue) as baseline_revenue
    from baseline_days
    group by date_ordered

),

deviations as (

    select
        baseline_days.date_ordered,
        median(abs(baseline_days.earlier_revenue - medians.baseline_revenue)) as median_deviation,
        avg(abs(baseline_days.earlier_revenue - medians.baseline_revenue)) as mean_deviation
    from baseline_days
    inner join medians on baseline_days.date_ordered = medians.date_ordered
    group by baseline_days.date_ordered

),

-- 1.4826 and 1.2533 turn a median and a mean absolute deviation into a standard deviation of a normal
-- distribution. The floor keeps a baseline of nearly equal days from making every ordinary day an anomaly.
spreads as (

    select
        medians.date_ordered,
        medians.baseline_days,
        medians.baseline_revenue,
        greatest(
            case
                when deviations.median_deviation > 0 then 1.4826 * deviations.median_deviation
                else 1.2533 * deviations.mean_deviation
            end,
            {{ var('anomaly_noise_floor') }} * abs(medians.baseline_revenue)
        ) as spread
    from medians
    inner join deviations on medians.date_ordered = deviations.date_ordered
    where medians.baseline_days >= {{ var('anomaly_minimum_weeks') }}

),

scored as (

    select
        daily.date_ordered,
        daily.net_revenue,
        spreads.baseline_days,
        spreads.baseline_revenue,
        spreads.spread,
        (cast(daily.net_revenue as double) - spreads.baseline_revenue) / nullif(spreads.spread, 0) as score,
        daily.date_ordered < max(daily.date_ordered) over () as is_complete
    from daily
    left join spreads on daily.date_ordered = spreads.date_ordered

),

fct_revenue_anomalies as (

    select
        date_ordered,
        case
            when score >= {{ var('anomaly_threshold') }} then 'high'
            when score <= -{{ var('anomaly_threshold') }} and is_complete then 'low'
            else 'none'
        end as anomaly,
        cast(coalesce(baseline_days, 0) as int) as baseline_days,
        net_revenue,
        cast(baseline_revenue as decimal(18, 2)) as baseline_revenue,
        cast(spread as decimal(18, 2)) as baseline_spread,
        cast(score as decimal(18, 4)) as anomaly_score,
        is_complete,
        coalesce(
            score >= {{ var('anomaly_threshold') }} or (score <= -{{ var('anomaly_threshold') }} and is_complete),
            false
        ) as is_anomaly
    from scored

)

select * from fct_revenue_anomalies
