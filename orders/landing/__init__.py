"""A shop's own files on their way into landing: what a file is, its records one a line, and what would become of them."""
