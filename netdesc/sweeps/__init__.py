"""Sweeps: many trainings of one document with other values, chosen by Optuna."""
