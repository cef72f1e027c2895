"""Writes networks as files of Python that need torch only."""
