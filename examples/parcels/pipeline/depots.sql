CREATE OR REFRESH MATERIALIZED VIEW parcels_by_depot
COMMENT 'One row per depot'
AS SELECT depot, count(DISTINCT parcel) AS parcels, max(scanned_at) AS last_scan
FROM scans
GROUP BY depot;
