-- Guards against a status that is a refund and no charge, or counted twice: in every order, net is gross less refunded, and
-- nothing is paid back that was not charged.
select
    order_id,
    status,
    gross_revenue,
    refunded_revenue,
    net_revenue
from {{ ref('fct_orders') }}
where
    net_revenue <> gross_revenue - refunded_revenue
    or refunded_revenue > gross_revenue
    or gross_revenue not in (0, order_value)
