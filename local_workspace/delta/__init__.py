"""Writing and following Delta tables: whole commits, one writer per table, and what the commits since a version added."""
