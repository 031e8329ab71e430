-- Databricks notebook source
-- MAGIC %md
-- MAGIC # Clicks between pages

-- COMMAND ----------

CREATE OR REFRESH MATERIALIZED VIEW clickstream_raw
COMMENT "The raw clicks"
TBLPROPERTIES ("quality" = "bronze")
AS SELECT * FROM json.`/Volumes/main/raw/clicks/2015_2_clickstream.json`

-- COMMAND ----------

CREATE OR REFRESH MATERIALIZED VIEW clickstream_clean(
  CONSTRAINT valid_page EXPECT (page_id IS NOT NULL and page_title IS NOT NULL),
  CONSTRAINT valid_count EXPECT (clicks > 0) ON VIOLATION FAIL UPDATE
)
AS SELECT
  CAST (curr_id AS INT) AS page_id,
  curr_title AS page_title,
  CAST(n AS INT) AS clicks,
  CAST (prev_id AS INT) AS referrer_id,
  prev_title AS referrer
FROM clickstream_raw

-- COMMAND ----------

CREATE OR REFRESH MATERIALIZED VIEW top_referrers
AS SELECT referrer, clicks
FROM clickstream_clean
WHERE page_title = 'Apache_Spark'
ORDER BY clicks DESC
LIMIT 2

-- COMMAND ----------

CREATE OR REFRESH MATERIALIZED VIEW top_pages
AS SELECT page_title, SUM(clicks) as total
FROM clickstream_clean
GROUP BY page_title
ORDER BY 2 DESC
LIMIT 50;

-- COMMAND ----------

CREATE OR REFRESH MATERIALIZED VIEW shares AS
SELECT page_title, referrer,
  round(clicks / sum(clicks) OVER (PARTITION BY page_title) * 100, 1) AS share,
  rank() OVER (PARTITION BY page_title ORDER BY clicks DESC) AS place
FROM clickstream_clean
QUALIFY place <= 2
