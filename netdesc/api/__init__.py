"""What users call: compile, train, evaluate and run a network."""
