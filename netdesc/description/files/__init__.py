"""Checks of the data files that a document names, before anything is loaded."""
