"""Who is described by the data, and what the catalog says about it: erasing one customer, tags, keys and lineage."""
