"""NIR files (hdf5), which many simulators and chips read and write.

- ``nir_record``: the record of a file, as a graph of nodes, and netdesc's own metadata
"""
