"""`earsight learn`: from clips to a measured model with one command."""
