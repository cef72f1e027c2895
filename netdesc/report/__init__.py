"""The report of a run: a single HTML file, computed from the run's folder.

- ``write_report`` writes the report; ``RunError`` if the report cannot be written
- ``conclude`` says in lines for the console what the report says first
- ``write_metrics_csv`` and ``write_slayer_logs`` write the metrics for other tools
- ``run`` reads the folder, ``page`` computes the content, ``templates`` contains the HTML
- ``tables``, ``training_plots``, ``weights``, ``viewer``: the sections; ``texts.toml``: fixed texts
"""

from netdesc.report.write import conclude, write_metrics_csv, write_report, write_slayer_logs
from netdesc.runs.errors import RunError

__all__ = ["RunError", "conclude", "write_metrics_csv", "write_report", "write_slayer_logs"]
