CREATE OR REFRESH STREAMING TABLE bronze_sales AS
SELECT *, _metadata.file_path AS source_file_path, _metadata.file_modification_time AS changed_at, current_timestamp() AS ingested_at
FROM STREAM read_files("/Volumes/main/raw/sales", format => "json", inferSchema => true);

CREATE OR REFRESH STREAMING TABLE bronze_people AS
SELECT * FROM STREAM read_files("/Volumes/main/raw/people", format => "csv", sep => ";", header => true, inferSchema => true);

CREATE OR REFRESH MATERIALIZED VIEW dim_date AS
WITH dates AS (
  SELECT date_add('2024-01-01', CAST(row_number() OVER (ORDER BY 1) - 1 AS INT)) AS calendar_date FROM range(0, 31 + 2)
)
SELECT int(date_format(calendar_date, 'yyyyMMdd')) AS date_key, calendar_date, year(calendar_date) AS year,
  quarter(calendar_date) AS quarter, weekofyear(calendar_date) AS week, dayofweek(calendar_date) AS dow,
  date_format(calendar_date, 'EEEE') AS day_name, last_day(calendar_date) AS month_end,
  case when dayofweek(calendar_date) in (1, 7) then true else false end AS is_weekend
FROM dates;

CREATE OR REFRESH MATERIALIZED VIEW dim_person AS
SELECT sha2(concat_ws('|', id, email), 256) AS person_key, id, initcap(name) AS name, lower(email) AS email,
  split_part(email, '@', 2) AS domain, coalesce(nullif(trim(phone), ''), 'none') AS phone,
  regexp_replace(phone, '[^0-9]', '') AS digits, md5(email) AS hashed
FROM bronze_people
QUALIFY row_number() OVER (PARTITION BY id ORDER BY since DESC) = 1;

CREATE OR REFRESH MATERIALIZED VIEW fact_sales (
  CONSTRAINT has_person EXPECT (person_key IS NOT NULL) ON VIOLATION DROP ROW
) AS
WITH 1st_sale AS (SELECT person_id, min(sold_at) AS first_at FROM bronze_sales GROUP BY person_id)
SELECT s.sale_id, p.person_key, d.date_key, pos, line.sku, line.qty * line.price AS amount,
  s.sold_at = f.first_at AS is_first
FROM bronze_sales s
LEFT JOIN dim_person p ON p.id = s.person_id
LEFT JOIN dim_date d ON d.calendar_date = CAST(s.sold_at AS DATE)
LEFT JOIN 1st_sale f ON f.person_id = s.person_id
LATERAL VIEW posexplode(s.lines) l AS pos, line;

CREATE OR REFRESH MATERIALIZED VIEW sales_cube AS
SELECT d.month_end, p.domain, sum(amount) AS amount, count(DISTINCT sale_id) AS sales, grouping(p.domain) AS g
FROM fact_sales s JOIN dim_date d USING (date_key) JOIN dim_person p USING (person_key)
GROUP BY ROLLUP (d.month_end, p.domain);

CREATE OR REFRESH MATERIALIZED VIEW by_weekday AS
SELECT * FROM (SELECT day_name, sku, amount FROM fact_sales JOIN dim_date USING (date_key))
PIVOT (sum(amount) FOR day_name IN ('Monday' AS mon, 'Tuesday' AS tue));
