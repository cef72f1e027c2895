"""The reference engine: a readable definition of every operator in plain torch.

It is slow, and runs on any device.
"""
