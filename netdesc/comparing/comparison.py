"""The whole comparison."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from netdesc.comparing.figures import Figure, results, samples, sizes, versions
from netdesc.comparing.files import FileDifference, file_differences
from netdesc.comparing.items import items
from netdesc.comparing.layers import LayerDifference, layer_differences
from netdesc.comparing.side import Side
from netdesc.comparing.values import Difference, differences


@dataclass(frozen=True)
class Comparison:
    """What differs; but ``results`` are all that both runs have, and only the others count."""

    a: Side
    b: Side
    values: list[Difference]
    layers: list[LayerDifference]
    network: list[Figure]
    files: list[FileDifference]
    samples: list[Figure]
    results: list[Figure]
    versions: list[Figure]

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs but what no two runs share, such as their seconds."""
        differing = [each for each in self.results if each.is_difference]
        parts = (self.values, self.layers, self.network, self.files, self.samples, self.versions)
        return not any((*parts, differing))


def compare(a: Side, b: Side) -> Comparison:
    """Compares two sides; files that both have are read where only that tells."""
    values = differences(items(a), items(b))
    told = {each.place for each in values}
    return Comparison(
        a,
        b,
        values=values,
        layers=layer_differences(a.graph, b.graph),
        network=sizes(a, b),
        files=[each for each in file_differences(a, b) if not _is_within(each.place, told)],
        samples=samples(a, b),
        results=results(a, b),
        versions=versions(a, b),
    )


def _is_within(place: str, told: Collection[str]) -> bool:
    """Whether a place belongs to what differs as a whole, such as a sample that one side lacks."""
    keys = place.split(".")
    return any(".".join(keys[:length]) in told for length in range(1, len(keys) + 1))
