-- Grain: one row per pair of items that some customers have both bought, in alphabetical order. A table
-- over the best items, rebuilt each time: pairs of the affinity_items items with the most net revenue, so that their number is
-- bounded. It reads which customers bought which of these, never orders.
with products as (

    select order_item from {{ ref('dim_products') }}
    where revenue_rank <= {{ var('affinity_items') }} and items_sold > 0

),

purchases as (

    select distinct
        lines.customer_id,
        lines.order_item
    from {{ ref('fct_order_lines') }} as lines
    inner join products on lines.order_item = products.order_item
    where lines.items_sold > 0

),

buyers as (

    select
        order_item,
        count(*) as customers
    from purchases
    group by order_item

),

everyone as (

    select count(*) as customers
    from {{ ref('dim_customers') }}
    where revenue_orders > 0

),

pairs as (

    select
        first_purchases.order_item,
        second_purchases.order_item as other_item,
        count(*) as customers
    from purchases as first_purchases
    inner join purchases as second_purchases
        on
            first_purchases.customer_id = second_purchases.customer_id
            and first_purchases.order_item < second_purchases.order_item
    group by first_purchases.order_item, second_purchases.order_item

),

fct_product_affinity as (

    select
        pairs.order_item,
        pairs.other_item,
        cast(pairs.customers as bigint) as pair_customers,
        cast(first_buyers.customers as bigint) as item_customers,
        cast(second_buyers.customers as bigint) as other_item_customers,
        {{ ratio('pairs.customers', 'everyone.customers') }} as support,
        {{ ratio('pairs.customers', 'first_buyers.customers') }} as confidence,
        {{ ratio('pairs.customers', 'second_buyers.customers') }} as confidence_of_other,
        {{ ratio('pairs.customers * everyone.customers', 'first_buyers.customers * second_buyers.customers') }} as lift
    from pairs
    inner join buyers as first_buyers on pairs.order_item = first_buyers.order_item
    inner join buyers as second_buyers on pairs.other_item = second_buyers.order_item
    cross join everyone

)

select * from fct_product_affinity
