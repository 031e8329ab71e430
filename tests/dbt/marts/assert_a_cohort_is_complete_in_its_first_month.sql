-- Guards against customers who are in a cohort and not active in its first month, or active before it: both mean that
-- cohort and activity come from different states of the same orders.
select
    cohort_month,
    months_since,
    cohort_customers,
    active_customers
from {{ ref('fct_customer_cohorts') }}
where
    (months_since = 0 and active_customers <> cohort_customers)
    or active_customers > cohort_customers
    or activity_month <> add_months(cohort_month, months_since)
