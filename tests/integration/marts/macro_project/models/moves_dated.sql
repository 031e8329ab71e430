select count(*) as rows_found
from {{ ref('moves') }}
where
    order_month in ({{ date_list('select distinct order_month from ' ~ ref('moves') ~ ' where delivery = 1') }})
    and order_month not in ({{ date_list('select distinct order_month from ' ~ ref('moves') ~ ' where false') }})
