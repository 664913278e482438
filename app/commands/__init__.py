"""The commands: each takes the parsed arguments and returns the exit status.

They only dispatch; a command's work lives in the package it is about, and is imported when it runs.
"""
