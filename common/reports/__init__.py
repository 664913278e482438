"""`evaluate`: figures and tables."""
