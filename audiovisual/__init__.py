"""Sound and lips together: one model that reads either or both."""
