"""Writes networks as C99: one file and its header, for microcontrollers."""
