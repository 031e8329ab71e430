"""`make torture`: kills processes at random and compares every row with a run that nobody disturbed."""
