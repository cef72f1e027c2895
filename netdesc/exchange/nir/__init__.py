"""NIR files (hdf5), which many simulators and chips read and write.

- ``nir_record``: the record of a file, as a graph of nodes, and netdesc's own metadata
- ``nir_reader``: reads a file into a record
- ``nir_layers``, ``nir_neurons``, ``nir_builder``: join the nodes to layers of a document
- ``nir_import``: converts a file to a document with its weights, or to weights of another one
- ``nir_export``, ``export_nodes``: convert a model to a record; ``nir_writer``: writes a record
- ``euler``: runs a record as other tools do; ``peers``: what these tools make of a file
"""
