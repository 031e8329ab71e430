CREATE OR REFRESH STREAMING TABLE clicks AS
SELECT user_id, page, CAST(at AS TIMESTAMP) AS at FROM STREAM read_files('/Volumes/main/raw/clicks', format => 'json', inferColumnTypes => true);
CREATE OR REFRESH STREAMING TABLE orders AS
SELECT user_id, amount, CAST(at AS TIMESTAMP) AS at FROM STREAM read_files('/Volumes/main/raw/orders', format => 'json', inferColumnTypes => true);

-- each user once
CREATE OR REFRESH STREAMING TABLE users AS SELECT DISTINCT user_id FROM STREAM(clicks) WHERE user_id IS NOT NULL;
-- totals over all rows so far
CREATE OR REFRESH STREAMING TABLE page_totals (CONSTRAINT busy EXPECT (clicks > 1) ON VIOLATION DROP ROW)
AS SELECT page, count(*) AS clicks FROM STREAM(clicks) GROUP BY page ORDER BY clicks;
CREATE OR REFRESH STREAMING TABLE spent AS
WITH big AS (SELECT user_id, amount FROM STREAM orders WHERE amount > 1)
SELECT upper(concat('u', user_id)) AS user, round(sum(amount), 2) AS total, max(amount) FILTER (WHERE amount < 50) AS top_small
FROM big GROUP BY 1 HAVING total > 5;
-- windows that a watermark closes
CREATE OR REFRESH STREAMING TABLE per_five_minutes AS
SELECT window.start AS start, page, count(*) AS n
FROM STREAM(clicks) WATERMARK at DELAY OF INTERVAL 10 MINUTES AS c
GROUP BY window(at, '5 minutes'), page;
-- both sides stream
CREATE OR REFRESH STREAMING TABLE bought_from AS
SELECT o.user_id, c.page, o.amount FROM STREAM(orders) o JOIN STREAM(clicks) c ON o.user_id = c.user_id AND c.page <> 'home';
