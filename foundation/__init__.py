"""What both halves stand on and neither owns: errors, findings, files written whole, and locks.

It imports the standard library alone, so that a pipeline on Databricks can import it with nothing installed.
"""
