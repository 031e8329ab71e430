USE CATALOG main;
USE SCHEMA loans_bronze;

CREATE STREAMING TABLE raw_loans
COMMENT "Loans by year and month of their folders"
AS SELECT * FROM cloud_files('/Volumes/main/raw/loans', 'csv', map("cloudFiles.inferColumnTypes", "true", "header", "true"));

CREATE OR REFRESH MATERIALIZED VIEW ref_types AS
SELECT * FROM read_files('/Volumes/main/raw/ref/types.csv', header => true);
