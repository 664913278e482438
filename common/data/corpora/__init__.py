"""Corpora turned into manifests: what all importers share, a person's own data, shards."""
