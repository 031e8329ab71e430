"""Where files of orders come from: the order generator, the CDNOW sample, and a user's own files."""
