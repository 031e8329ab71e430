CREATE OR REFRESH STREAMING TABLE products_bronze (
  CONSTRAINT correct_schema EXPECT (_rescued_data IS NULL)
)
COMMENT "Changes of products, file by file"
AS SELECT *, _metadata.file_name AS file
FROM STREAM read_files("${volume}/products", format => "csv", header => true, inferColumnTypes => true, schemaHints => "price DECIMAL(8,2)");
