"""Writes networks as files of Python that need torch only."""

from netdesc.exchange.torch_file.torch_writer import write_torch as write_torch
