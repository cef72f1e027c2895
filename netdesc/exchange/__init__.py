"""Network files of other programs: lava-dl's ``.net`` (hdf5), read and written."""

from netdesc.exchange.errors import NetFileError
from netdesc.exchange.export import export_net
from netdesc.exchange.importer import Imported, import_net, read_weights
from netdesc.exchange.net_reader import read_net
from netdesc.exchange.net_record import DenseLayer, FlattenLayer, InputLayer, NetFile
from netdesc.exchange.net_writer import write_net

__all__ = [
    "DenseLayer",
    "FlattenLayer",
    "Imported",
    "InputLayer",
    "NetFile",
    "NetFileError",
    "export_net",
    "import_net",
    "read_net",
    "read_weights",
    "write_net",
]
