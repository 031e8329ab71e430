SET spark.databricks.cloudFiles.schemaInference.sampleSize.numFiles = 100000;

CREATE OR REFRESH STREAMING TABLE raw_station_status
TBLPROPERTIES ("quality" = "bronze")
AS SELECT * FROM STREAM read_files("/Volumes/main/raw/status", format => "json", inferColumnTypes => "true");

CREATE OR REFRESH STREAMING TABLE cleaned_station_status (
  CONSTRAINT valid_station_id EXPECT (station_id IS NOT NULL) ON VIOLATION DROP ROW,
  CONSTRAINT over_24hr_old_data EXPECT (secs_since_last_reported < 86400)
)
PARTITIONED BY (last_updated_date)
AS SELECT
  stations.station_id,
  stations.num_bikes_available,
  stations.is_renting,
  CAST(stations.last_reported AS timestamp) AS last_reported_ts,
  date(last_updated_ts) AS last_updated_date,
  unix_timestamp(date_trunc('HOUR', last_updated_ts)) AS last_updated_hr,
  last_updated - stations.last_reported AS secs_since_last_reported
FROM (
  SELECT EXPLODE(data.stations) AS stations, last_updated, CAST(last_updated AS timestamp) AS last_updated_ts
  FROM STREAM(raw_station_status)
);

CREATE OR REFRESH STREAMING TABLE weather
AS SELECT
  date(CAST(dt AS timestamp)) AS dt_date,
  regexp_extract(_metadata.file_name, "(.*)_(.*).json", 2) AS station_id,
  main.temp AS temp,
  w.description,
  wind.gust AS gust
FROM STREAM read_files("/Volumes/main/raw/weather", format => "json", inferColumnTypes => "true", useIncrementalListing => "false")
LATERAL VIEW explode(weather) t AS w;

CREATE OR REFRESH STREAMING TABLE trips (CONSTRAINT took_time EXPECT (ended_at > started_at) ON VIOLATION DROP ROW)
AS SELECT
  ride_id, member_casual,
  CAST(started_at AS TIMESTAMP) started_at, CAST(ended_at AS TIMESTAMP) ended_at,
  timestampdiff(MINUTE, CAST(started_at AS TIMESTAMP), CAST(ended_at AS TIMESTAMP)) AS minutes,
  CASE WHEN member_casual = 'member' THEN 0 ELSE 1.5 END AS fee,
  start_station_id
FROM STREAM read_files("/Volumes/main/raw/trips/*.csv", header => true, multiLine => true);

CREATE OR REFRESH MATERIALIZED VIEW rides_by_station AS
SELECT
  t.start_station_id, count(*) AS rides, sum(fee) AS fees, percentile(minutes, 0.5) AS median_minutes,
  max_by(ride_id, minutes) AS longest, first(s.num_bikes_available) AS bikes, any_value(weather.description) AS sky
FROM trips t
LEFT JOIN cleaned_station_status s ON s.station_id = t.start_station_id
LEFT JOIN weather USING (station_id)
GROUP BY ALL
HAVING rides > 0;
