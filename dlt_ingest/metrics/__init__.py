"""What is measured, and where it goes: health check, reconciliation and the export to Postgres."""
