"""The DLT datasets, one per file. They import dlt, pyspark, the rules and the pipeline's settings only.

In each file a pure function from DataFrame to DataFrame holds the logic, and the decorated function is one
line.
"""
