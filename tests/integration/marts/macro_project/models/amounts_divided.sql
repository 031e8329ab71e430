select
    id,
    {{ money_per('amount', 'parts') }} as amount_per_part,
    {{ ratio('amount', 'parts') }} as part_of_amount
from {{ ref('amounts') }}
