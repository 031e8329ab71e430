"""Files of any format as sources of a pipeline: what a query asks for, and the rows that come of it."""
