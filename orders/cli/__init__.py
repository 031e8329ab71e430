"""The `orders` command line: the one place that joins the pipeline's code to the local workspace."""
