"""Measuring: epochs of a task, one layer beside other programs, and how a layer's time grows.

- ``epochs``: the real training loop, whole and by the ``parts`` of an epoch
- ``oxford``: the same task with slayer
- ``layer``: one dense layer; ``sweep``: the same over steps, batch, neurons and rates
- ``programs``: starts each program to be measured in a process of its own
- ``peers``: what runs in that process, one file a program
"""
