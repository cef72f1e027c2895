"""Writes networks as C99: one file and its header, for microcontrollers."""

from netdesc.exchange.c.c_file import c_sizes as c_sizes
from netdesc.exchange.c.c_file import write_c as write_c
