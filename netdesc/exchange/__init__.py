"""Network files of other programs: reads and writes lava-dl's ``.net`` files (hdf5).

- ``net_record``: the record of a file, which holds its layers as plain integers
- ``net_reader``, ``net_writer``: read a file into a record, and write a record as a file
- ``importer``: converts a record to a document with its weights; ``export``: writes a model
- ``hdf5_reader``: reads hdf5 files safely
"""

from netdesc.exchange.errors import NetFileError
from netdesc.exchange.export import export_net, require_suffix
from netdesc.exchange.importer import ImportedNetwork, import_net, read_weights
from netdesc.exchange.net_reader import read_net
from netdesc.exchange.net_record import FlattenLayer, InputLayer, NetFile
from netdesc.exchange.net_synapses import DenseLayer, KernelLayer, RecurrentLayer
from netdesc.exchange.net_writer import write_net

__all__ = [
    "DenseLayer",
    "FlattenLayer",
    "ImportedNetwork",
    "InputLayer",
    "KernelLayer",
    "NetFile",
    "NetFileError",
    "RecurrentLayer",
    "export_net",
    "import_net",
    "read_net",
    "read_weights",
    "require_suffix",
    "write_net",
]
