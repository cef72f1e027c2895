"""Network files of other programs: reads and writes them, in several formats.

- ``formats``: the table of formats, by the suffixes of files
- ``nir``: NIR files

And lava-dl's ``.net`` files (hdf5):

- ``net_record``: the record of a file, which holds its layers as plain integers
- ``net_reader``, ``net_writer``: read a file into a record, and write a record as a file
- ``importer``: converts a record to a document with its weights; ``export``: writes a model
- ``hdf5_reader``: reads hdf5 files safely
"""

from netdesc.exchange.errors import NetFileError as NetFileError
from netdesc.exchange.export import export_net as export_net
from netdesc.exchange.importer import ImportedNetwork as ImportedNetwork
from netdesc.exchange.importer import import_net as import_net
from netdesc.exchange.importer import read_weights as read_weights
from netdesc.exchange.net_reader import read_net as read_net
from netdesc.exchange.net_record import FlattenLayer as FlattenLayer
from netdesc.exchange.net_record import InputLayer as InputLayer
from netdesc.exchange.net_record import NetFile as NetFile
from netdesc.exchange.net_synapses import DenseLayer as DenseLayer
from netdesc.exchange.net_synapses import KernelLayer as KernelLayer
from netdesc.exchange.net_synapses import RecurrentLayer as RecurrentLayer
from netdesc.exchange.net_writer import write_net as write_net
