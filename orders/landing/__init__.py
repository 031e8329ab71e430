"""A shop's own files on their way into landing: the kind of file, its records one per line, and a preview of the result."""
