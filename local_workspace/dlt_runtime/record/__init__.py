"""What an update leaves on record: the bookkeeping of a pipeline and its event log."""
