"""Lip reading: from the pictures of a mouth to what is said."""
