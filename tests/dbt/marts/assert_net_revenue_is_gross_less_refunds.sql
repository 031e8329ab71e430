-- Guards against a status that is a refund and no charge, or counted twice: in every line, net is gross less refunded, nothing
-- is paid back that was not charged, and nothing comes back that was not ordered.
select
    order_id,
    line_key,
    status,
    gross_revenue,
    refunded_revenue,
    net_revenue
from {{ ref('fct_order_lines') }}
where
    {{ of_changed_orders('order_month') }}
    and (
        net_revenue <> gross_revenue - refunded_revenue
        or refunded_revenue > gross_revenue
        or gross_revenue > order_value
        or items_returned > items_ordered
    )
