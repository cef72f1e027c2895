"""The catalogue of diagnostic codes: cause, example and fix of each."""
