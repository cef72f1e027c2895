"""The folder of a run: the names of its files, and the state of the run read from them.

``unread_output`` tells commands and training whether anybody reads what they print.
"""
