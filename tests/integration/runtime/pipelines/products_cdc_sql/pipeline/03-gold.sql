CREATE OR REFRESH MATERIALIZED VIEW price_changes AS
SELECT product_id, price, lag(price) OVER (PARTITION BY product_id ORDER BY __START_AT) AS before,
  CASE WHEN __END_AT IS NULL THEN true ELSE false END AS is_current
FROM products_history;
CREATE OR REFRESH MATERIALIZED VIEW summary AS
SELECT count(*) AS products, sum(price) AS total, round(avg(price), 2) AS average, max(title) AS last FROM products;
