"""The folder of a run: the names of its files, and the state of the run read from them."""
