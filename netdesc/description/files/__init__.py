"""Checks the data files and weights files that a document names, before training loads them."""
