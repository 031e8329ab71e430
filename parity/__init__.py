"""The workspace beside Apache Spark: the same expressions, queries and DataFrames on both, values and types compared."""
