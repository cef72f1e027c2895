"""Events as tensors and back: bins, duplicates, layouts and dtypes."""

import warnings
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.event_samples import events_of

from netdesc.events import DroppedEvents, Event

ROUNDINGS = st.sampled_from(["nearest", "floor"])


def as_rows(event: Event) -> list[tuple[int, ...]]:
    columns = [event.x, event.p, event.microseconds()]
    if event.y is not None:
        columns.insert(1, event.y)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@settings(max_examples=80)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 5), st.just(0), st.integers(0, 1), st.integers(0, 9_499)),
        max_size=40,
    ),
    rounding=ROUNDINGS,
)
def test_sums_equal_a_count_by_hand(rows, rounding):
    counted = Counter(
        (round(us / 1000) if rounding == "nearest" else us // 1000, x) for x, _, _, us in rows
    )
    tensor = events_of(rows).to_tensor((6,), 10, 1.0, rounding=rounding, duplicates="sum")
    assert tensor.dtype == torch.float32
    assert tensor.shape == (10, 6)
    assert {tuple(cell): int(tensor[tuple(cell)]) for cell in tensor.nonzero().tolist()} == counted
    once = events_of(rows).to_tensor((6,), 10, 1.0, rounding=rounding)
    assert torch.equal(once, tensor.clamp(max=1))


@settings(max_examples=80)
@given(
    rows=st.lists(
        st.tuples(*[st.integers(0, 3)] * 2, st.integers(0, 1), st.integers(0, 9)), max_size=40
    ),
    with_y=st.booleans(),
    step_ms=st.sampled_from([1.0, 0.1, 1 / 3, 0.7, 0.002]),
)
def test_tensors_give_back_every_event_with_its_place_and_polarity(rows, with_y, step_ms):
    shape = (2, 4, 4) if with_y else (4,)
    on_grid = [(x, y, p if with_y else 0, -(-step * round(step_ms * 1e6) // 1000))
               for x, y, p, step in rows]  # fmt: skip
    event = events_of(on_grid, with_y)
    tensor = event.to_tensor(shape, 10, step_ms, duplicates="sum")
    back = Event.from_tensor(tensor, step_ms, duplicates="sum")
    assert sorted(as_rows(back)) == sorted(as_rows(event))
    once = Event.from_tensor(tensor, step_ms)
    assert sorted(as_rows(once)) == sorted(set(as_rows(event)))


def test_events_outside_are_left_out_with_a_warning():
    event = events_of([(0, 0, 0, -1000), (0, 0, 0, 2000), (5, 0, 0, 0), (1, 0, 0, 1000)])
    with pytest.warns(
        DroppedEvents, match=r"3 of 4 events lie outside the tensor \[2, 5\]"
    ) as seen:
        tensor = event.to_tensor((5,), 2)
    assert seen[0].filename == __file__
    assert tensor.nonzero().tolist() == [[1, 1]]
    with pytest.warns(DroppedEvents, match="3 of 4"):
        assert torch.equal(event.fill(torch.zeros(2, 5)), tensor)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        events_of([]).to_tensor((5,), 2)
        events_of([]).fill(torch.zeros(0, 5))


DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.uint8, torch.int64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_fill_adds_to_present_values_in_any_dtype_and_layout(dtype):
    event = events_of([(1, 0, 0, 2000), (1, 0, 0, 2100), (3, 0, 0, 0)])
    whole = torch.full((2, 4, 8), 3, dtype=dtype)
    view = whole.transpose(0, 2)[::2, :, 1]  # [steps 4, neurons 4], every other of another's cells
    assert event.fill(view, duplicates="sum") is view
    expected = torch.full((4, 4), 3, dtype=dtype)
    expected[2, 1], expected[0, 3] = 5, 4
    assert torch.equal(view, expected)
    assert int((whole != 3).sum()) == 2


@pytest.mark.parametrize("dtype", [*DTYPES, torch.bool])
def test_fill_without_sums_makes_empty_cells_one_and_keeps_the_others(dtype):
    event = events_of([(1, 0, 0, 2000), (1, 0, 0, 2100), (3, 0, 0, 0)])
    tensor = torch.zeros(4, 4, dtype=dtype)
    tensor[0, 3] = 7
    kept = tensor[0, 3].clone()
    event.fill(tensor)
    assert tensor[2, 1] == 1
    assert tensor[0, 3] == kept
    assert int((tensor != 0).sum()) == 2


@pytest.mark.parametrize(
    ("dtype", "present", "holds"),
    [(torch.uint8, 254, "255"), (torch.bool, 0, "1"), (torch.float16, 2047, "2048"),
     (torch.float32, 2**24 - 1, "16777216"), (torch.int64, 2**63 - 2, "9223372036854775807")],
)  # fmt: skip
def test_a_sum_that_the_dtype_cannot_hold_changes_nothing(dtype, present, holds):
    tensor = torch.full((1, 2), present, dtype=dtype)
    events_of([(0, 0, 0, 0)]).fill(tensor, duplicates="sum")
    assert int(tensor[0, 0]) == present + 1
    before = tensor.clone()
    with pytest.raises(ValueError, match=f"whole numbers to {holds}"):
        events_of([(1, 0, 0, 0), (1, 0, 0, 0)]).fill(tensor, duplicates="sum")
    assert torch.equal(tensor, before)


def test_events_of_images_need_a_shape_of_images():
    event = events_of([(0, 1, 0, 0)], with_y=True)
    with pytest.raises(ValueError, match="channels, height, width"):
        event.to_tensor((9,), 2)
    with pytest.raises(ValueError, match="channels, height, width"):
        event.fill(torch.zeros(2, 9))
    with pytest.raises(ValueError, match=r"\[steps"):
        event.fill(torch.tensor(0.0))


@pytest.mark.parametrize("value", [0.5, -1.0, float("nan"), float("inf"), 1e12])
def test_a_cell_that_is_no_number_of_events_is_refused(value):
    tensor = torch.tensor([[0.0, value]])
    with pytest.raises(ValueError, match="not a number of events"):
        Event.from_tensor(tensor, duplicates="sum")


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.tensor(1.0), r"an axis of steps: \[steps, \*shape\]"),
        (torch.zeros(3, 2, dtype=torch.complex64), "not complex64 of shape"),
        (torch.eye(3).to_sparse(), "not a sparse"),
    ],
)
def test_sparse_complex_and_scalar_tensors_are_refused(tensor, message):
    with pytest.raises(ValueError, match=message):
        Event.from_tensor(tensor)


def test_a_few_cells_cannot_ask_for_more_events_than_can_be_held():
    with pytest.raises(ValueError, match="180,000,000 events"):
        Event.from_tensor(torch.tensor([[90_000_000, 90_000_000]]), duplicates="sum")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.bool, torch.int8, torch.float64])
def test_events_come_from_any_dtype_and_from_tensors_with_gradients(dtype):
    tensor = torch.zeros(3, 2, dtype=dtype)
    tensor[2, 1] = 1
    if dtype.is_floating_point:
        tensor.requires_grad_()
    assert as_rows(Event.from_tensor(tensor, 0.5)) == [(1, 0, 1000)]
    assert len(Event.from_tensor(torch.zeros(0, 4))) == 0


@pytest.mark.parametrize("options", [{"duplicates": "add"}, {"rounding": "round"}])
def test_an_unknown_option_is_refused(options):
    event = events_of([(1, 0, 0, 0)])
    with pytest.raises(ValueError, match=f'"{next(iter(options.values()))}" is unknown; known are'):
        event.to_tensor((3,), 2, **options)
    tensor = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="is unknown"):
        event.fill(tensor, **options)
    assert not tensor.any()
    if "duplicates" in options:
        with pytest.raises(ValueError, match="is unknown"):
            Event.from_tensor(tensor, **options)
