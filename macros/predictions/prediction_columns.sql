{#
    Columns of the tables that `orders predict` writes, in order: name, type, comment.

    Args:
        table (required): customer_predictions, prediction_backtests or revenue_forecasts.
    Example: `{% for column in prediction_columns('revenue_forecasts') %}{{ column.name }}{% endfor %}`
    NB: dlt_ingest/predictions/tables.py has the same as Arrow types; a test holds both against each other.
#}
{% macro prediction_columns(table) -%}
    {%- set money = 'decimal(18,2)' -%}
    {%- set fitted_at = {'name': 'fitted_at', 'type': 'timestamp', 'comment': 'When the models were fitted.'} -%}
    {{ return({
        'customer_predictions': [
            {'name': 'customer_id', 'type': 'string', 'comment': 'The customer; a pseudonym.'},
            {'name': 'horizon_days', 'type': 'int', 'comment': 'Days ahead that the row is about.'},
            {'name': 'probability_alive', 'type': 'decimal(18,6)', 'comment': 'Probability that the customer still buys.'},
            {'name': 'expected_purchases', 'type': 'decimal(18,4)', 'comment': 'Purchase days expected.'},
            {'name': 'expected_value', 'type': money, 'comment': 'Net revenue expected.'},
            {'name': 'value_low', 'type': money, 'comment': 'Net revenue exceeded in nine of ten cases.'},
            {'name': 'value_high', 'type': money, 'comment': 'Net revenue exceeded in one of ten cases.'},
            {'name': 'as_of_date', 'type': 'date', 'comment': 'Last day that was known.'},
            fitted_at,
        ],
        'prediction_backtests': [
            {'name': 'cutoff_date', 'type': 'date', 'comment': 'Last day that the prediction knew.'},
            {'name': 'horizon_days', 'type': 'int', 'comment': 'Days after it that were predicted.'},
            {'name': 'customers', 'type': 'bigint', 'comment': 'Customers who had bought by then.'},
            {'name': 'customers_within', 'type': 'bigint', 'comment': 'Of these, those who spent what was within the spread.'},
            {'name': 'actual_value', 'type': money, 'comment': 'Net revenue that came from them.'},
            {'name': 'predicted_value', 'type': money, 'comment': 'Net revenue that was predicted.'},
            {'name': 'naive_value', 'type': money, 'comment': 'Net revenue of as many days before.'},
            {'name': 'predicted_error_per_customer', 'type': money, 'comment': 'Mean absolute error of a customer.'},
            {'name': 'naive_error_per_customer', 'type': money, 'comment': 'The same of the naive forecast.'},
            fitted_at,
        ],
        'revenue_forecasts': [
            {'name': 'origin_date', 'type': 'date', 'comment': 'Last day that the forecast knew.'},
            {'name': 'date_ordered', 'type': 'date', 'comment': 'The day that was forecast.'},
            {'name': 'days_ahead', 'type': 'int', 'comment': 'Days from one to the other.'},
            {'name': 'forecast_revenue', 'type': money, 'comment': 'Net revenue expected, the middle of what may come.'},
            {'name': 'revenue_low', 'type': money, 'comment': 'Net revenue exceeded in nine of ten cases.'},
            {'name': 'revenue_high', 'type': money, 'comment': 'Net revenue exceeded in one of ten cases.'},
            {'name': 'naive_revenue', 'type': money, 'comment': 'Net revenue of the same weekday in the last known week.'},
            fitted_at,
        ],
    }[table]) }}
{%- endmacro %}
