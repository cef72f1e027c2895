"""Random layers with a kernel, and the shapes of their inputs."""

from typing import Any

from hypothesis import strategies as st

TRANSPOSED = {"conv": False, "conv_transpose": True, "sum_pool": False, "upsample": True}
"""Type of a layer with a kernel -> whether it spreads its input."""

Case = tuple[dict[str, Any], tuple[int, int, int]]


def pairs(lowest: int, highest: int) -> st.SearchStrategy[Any]:
    number = st.integers(lowest, highest)
    return number | st.lists(number, min_size=2, max_size=2)


def both(value: int | list[int]) -> list[int]:
    return value if isinstance(value, list) else [value, value]


def geometry(layer: dict[str, Any]) -> dict[str, list[int]]:
    """Kernel, stride, padding, dilation and output padding, with the defaults of the language."""
    kernel = layer["kernel"]
    stride = layer.get("stride") or (1 if layer["type"].startswith("conv") else kernel)
    known = {"padding": 0, "dilation": 1, "output_padding": 0} | layer
    names = ("padding", "dilation", "output_padding")
    sizes = {"kernel": kernel, "stride": stride} | {name: known[name] for name in names}
    return {name: both(value) for name, value in sizes.items()}


def _outputs(layer: dict[str, Any], sizes: list[int]) -> list[tuple[int, int]]:
    """Height and width of the output, each with the rows that are not read."""
    found = []
    for axis, size in enumerate(sizes):
        numbers = (pair[axis] for pair in geometry(layer).values())
        kernel, stride, padding, dilation, more = numbers
        span = dilation * (kernel - 1) + 1
        whole = size + 2 * padding - span
        if TRANSPOSED[layer["type"]]:
            found.append(((size - 1) * stride + span - 2 * padding + more, 0))
        else:
            found.append((whole // stride + 1 if whole >= 0 else 0, whole % stride - padding))
    return found


@st.composite
def kernel_layers(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(TRANSPOSED)) -> Case:
    """Layers, without name and neuron, that fit an input of the shape beside them."""
    kind = draw(st.sampled_from(kinds))
    groups = draw(st.integers(1, 3))
    channels = groups * draw(st.integers(1, 3))
    layer = {"type": kind, "kernel": draw(pairs(1, 4)), "padding": draw(pairs(0, 2))}
    if kind.startswith("conv"):
        layer |= {"stride": draw(pairs(1, 3)), "dilation": draw(pairs(1, 2)), "groups": groups}
        layer["channels"] = groups * draw(st.integers(1, 3))
    else:
        layer["stride"] = draw(st.none() | pairs(1, 4))
    if kind == "conv_transpose":
        limits = zip(both(layer["stride"]), both(layer["dilation"]), strict=True)
        layer["output_padding"] = [draw(st.integers(0, max(pair) - 1)) for pair in limits]
    sizes = draw(st.lists(st.integers(1, 9), min_size=2, max_size=2))
    shape = channels, sizes[0], sizes[1]
    outputs = _outputs(layer, sizes)
    is_whole = kind != "sum_pool" or all(rest <= 0 for _, rest in outputs)
    if all(size > 0 for size, _ in outputs) and is_whole:
        return layer, shape
    fits = {"type": kind, "kernel": 1, "channels": groups, "groups": groups}
    return {name: fits[name] for name in fits if name in ("type", "kernel") or name in layer}, shape


def expected_shape(layer: dict[str, Any], shape: tuple[int, int, int]) -> tuple[int, int, int]:
    height, width = (size for size, _ in _outputs(layer, list(shape[1:])))
    return layer.get("channels", shape[0]), height, width
