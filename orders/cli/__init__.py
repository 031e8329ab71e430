"""The `orders` command line: the only place that joins the pipeline's code and the local workspace."""
