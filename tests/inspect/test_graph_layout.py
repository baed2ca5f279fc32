"""Layout: nothing overlaps, edges lead on, few of them cross."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.inspect.drawing._layering import Size
from minigrad.inspect.drawing._layout import Wire, lay_out


@st.composite
def drawings(draw):
    """Sizes of boxes and wires that form no circle."""
    count = draw(st.integers(1, 12))
    length = st.integers(0, 80)
    sizes = [Size(draw(length) + 1, draw(length) + 1) for _ in range(count)]
    wires = []
    for target in range(1, count):
        for source in draw(st.lists(st.integers(0, target - 1), max_size=3)):
            wires.append(Wire(source, target, Size(draw(length), draw(length))))
    order = draw(st.permutations(range(count)))
    moved = [sizes[0]] * count
    for at, place in enumerate(order):
        moved[place] = sizes[at]
    return moved, [Wire(order[s], order[t], label) for s, t, label in wires]


def overlap(one, other):
    (a, size), (b, span) = one, other
    return all(
        a[axis] < b[axis] + span[axis] - 1e-6 and b[axis] < a[axis] + size[axis] - 1e-6
        for axis in (0, 1)
    )


@given(drawings())
def test_nothing_overlaps_or_lies_outside(drawing):
    sizes, wires = drawing
    found = lay_out(sizes, wires)
    labels = [wire.label for wire in wires]
    placed = [
        *zip(found.boxes, sizes, strict=True),
        *zip(found.labels, labels, strict=True),
    ]
    for at, one in enumerate(placed):
        assert not any(overlap(one, other) for other in placed[:at])
        for axis in (0, 1):
            assert one[0][axis] >= -1e-6
            assert one[0][axis] + one[1][axis] <= found.size[axis] + 1e-6


@given(drawings())
def test_edges_go_from_earlier_to_later_layers_and_meet_their_boxes(drawing):
    sizes, wires = drawing
    found = lay_out(sizes, wires)
    for wire, route in zip(wires, found.routes, strict=True):
        assert found.layers[wire.source] < found.layers[wire.target]
        along = [point.along for point in route]
        assert along == sorted(along)
        start, end = found.boxes[wire.source], found.boxes[wire.target]
        assert route[0].along == pytest.approx(start.along + sizes[wire.source].along)
        assert route[-1].along == pytest.approx(end.along)
        for point, box, size in (
            (route[0], start, sizes[wire.source]),
            (route[-1], end, sizes[wire.target]),
        ):
            assert box.across <= point.across <= box.across + size.across


@given(drawings())
def test_edges_pass_no_box_but_their_own(drawing):
    sizes, wires = drawing
    found = lay_out(sizes, wires)
    for wire, route in zip(wires, found.routes, strict=True):
        # Bent pieces lie between layers, where there are no boxes.
        for one, other in zip(route[1::2], route[2::2], strict=False):
            for box, size in zip(found.boxes, sizes, strict=True):
                assert (
                    box.along + size.along <= one.along + 1e-6
                    or other.along - 1e-6 <= box.along
                )
        # Straight ones lie within a layer.
        for one, other in zip(route[::2], route[1::2], strict=True):
            span = Size(max(other.along - one.along, 1e-3), 1e-3)
            for at, (box, size) in enumerate(zip(found.boxes, sizes, strict=True)):
                if at not in (wire.source, wire.target):
                    assert not overlap((one, span), (box, size))


def test_edges_that_need_not_cross_do_not():
    # Two chains, given crosswise.
    wires = [Wire(0, 3, Size(0, 0)), Wire(1, 2, Size(0, 0))]
    found = lay_out([Size(10, 10)] * 4, wires)
    across = [box.across for box in found.boxes]
    assert (across[0] < across[1]) == (across[3] < across[2])


def test_a_leaf_stands_in_front_of_who_needs_it():
    wires = [Wire(0, 1, Size(0, 0)), Wire(1, 2, Size(0, 0)), Wire(3, 2, Size(0, 0))]
    assert lay_out([Size(1, 1)] * 4, wires).layers == [0, 1, 2, 1]
