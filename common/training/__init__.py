"""`train`, `predict` and `export` under Lightning."""
