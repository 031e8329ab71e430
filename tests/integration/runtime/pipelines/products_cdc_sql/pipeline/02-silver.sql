CREATE TEMPORARY VIEW products_changes AS
SELECT * EXCEPT (_rescued_data, file), upper(trim(name)) AS title FROM STREAM(products_bronze) WHERE product_id IS NOT NULL;

CREATE OR REFRESH STREAMING TABLE products (CONSTRAINT priced EXPECT (price > 0) ON VIOLATION DROP ROW);
CREATE FLOW products_flow AS AUTO CDC INTO products
FROM STREAM(products_changes)
KEYS (product_id)
APPLY AS DELETE WHEN operation = "DELETE"
SEQUENCE BY version
COLUMNS * EXCEPT (operation, version)
STORED AS SCD TYPE 1;

CREATE OR REFRESH STREAMING TABLE products_history;
APPLY CHANGES INTO products_history
FROM STREAM(products_changes)
KEYS (product_id)
APPLY AS DELETE WHEN operation = "DELETE"
SEQUENCE BY version
COLUMNS product_id, price
STORED AS SCD TYPE 2
TRACK HISTORY ON price;
