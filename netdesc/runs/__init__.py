"""The folder of a run: names of its files, and the state of the run that they show."""
