"""The report of a run: a single HTML file, computed from the run's folder.

- ``write_report`` writes the report; ``ReportError`` if the report cannot be written
- ``run`` reads the folder, ``page`` computes the content, ``templates`` contains the HTML
- ``confusion_matrix``, ``training_plots``, ``weight_change``, ``viewer``: the sections
"""

from netdesc.report.errors import ReportError
from netdesc.report.write import write_report

__all__ = ["ReportError", "write_report"]
