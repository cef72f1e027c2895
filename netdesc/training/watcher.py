"""Looks at a run while it trains, and tells at once what goes wrong."""

from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file

from netdesc.modules import Network
from netdesc.runs.folder import CHECKPOINTS, INITIAL, is_filled
from netdesc.runs.metrics_file import MetricsFile, read_metrics
from netdesc.runs.run_record import Finding, RunRecord
from netdesc.runs.state import set_arguments
from netdesc.training.progress import Display
from netdesc.training.setup import Setup
from netdesc.training.symptoms import UNSTABLE, WatchedNetwork, find_symptoms


@dataclass(frozen=True, eq=False)
class Watcher:
    """Tells each finding about a layer once over the whole run, also if the run is resumed.

    ``findings`` are those of ``record`` so far. ``path`` is the run's folder.
    """

    path: Path
    setup: Setup
    record: RunRecord
    display: Display
    metrics: MetricsFile
    findings: list[Finding]

    def look(self, epochs: int) -> None:
        """Looks for symptoms after 2, 3, 4, 6, 8, 12, … epochs, and tells and records new ones.

        So seldom, because it reads all metrics so far. Raises RunError if a file of the run is
        damaged, StorageError if one cannot be written.
        """
        power = 1 << (epochs.bit_length() - 1)
        if epochs < 2 or epochs not in (power, power + power // 2):
            return
        known_keys = {finding.key for finding in self.findings}
        if any(code == UNSTABLE for code, _ in known_keys):
            return  # other advice would be wrong
        symptoms = find_symptoms(self.watched(self.setup.network))
        new_findings = [finding for finding in symptoms if finding.key not in known_keys]
        for finding in new_findings:
            finding.epoch = epochs - 1
            way = ""
            for purpose, settings in finding.fixes[:1]:
                way = f"; {purpose[:1].lower()}{purpose[1:]}: {set_arguments(settings)}"
            self.display.warn(f"{finding.text} ({finding.code}{way})")
        if new_findings:
            self.findings.extend(new_findings)
            self.record.update(findings=self.findings)

    def watched(self, network: Network) -> WatchedNetwork:
        """Reads the metrics so far. ``network`` has the weights to look at. RunError, as above."""
        setup, initial = self.setup, self.path / CHECKPOINTS / INITIAL
        self.metrics.flush()
        names = [layer.name for layer in setup.graph.neuron_layers]
        metrics = read_metrics(self.path, names, setup.training.epochs, setup.best_by)
        divisors, metric = setup.scale.divisors, metrics.watched_metric
        silence = getattr(self.record.silence, metric, None)
        return WatchedNetwork(
            setup,
            metrics.per_sample(divisors),
            network,
            load_file(initial) if is_filled(initial) else {},
            silence and silence / divisors[metric],
        )
