"""The AI/BI dashboards of the bundle as one web page: the same files, drawn without a workspace."""
