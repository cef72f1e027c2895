"""The report of a run: one HTML file that needs no other, from the run's folder alone.

- ``write_report``: writes it; ``ReportError``: why it could not be written
- ``run`` reads the folder, ``page`` puts the report together, ``templates`` holds its text
"""

from netdesc.report.errors import ReportError
from netdesc.report.write import write_report

__all__ = ["ReportError", "write_report"]
