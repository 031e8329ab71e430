"""What each statement does: `dispatch` finds the module that answers one, and every family of statements has its own."""
