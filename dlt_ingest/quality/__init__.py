"""What a good order record is: its fields, its statuses, the rules as data, and their check.

Everything here is text and plain data, so that one definition serves the DLT tables, the replay of
quarantined rows and `orders quality test`. Only `evaluation` imports pyspark.
"""
