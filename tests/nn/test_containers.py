import numpy
import pytest

from minigrad import nn
from minigrad.errors import ArgumentError


class Add(nn.Module):
    def __init__(self, amount):
        self.amount = amount

    def forward(self, x):
        return x + self.amount

    def extra_repr(self):
        return f"{self.amount}"


def amounts(row):
    return [module.amount for module in row]


def test_sequential_runs_modules_in_order():
    assert nn.Sequential(Add("b"), Add("c"))("a") == "abc"


def test_sequential_takes_a_dict_of_names():
    model = nn.Sequential({"first": Add("b"), "second": Add("c")})
    assert model("a") == "abc"
    assert [name for name, _ in model.named_children()] == ["first", "second"]
    assert model.second.amount == "c"


@pytest.mark.parametrize("kind", [nn.Sequential, lambda *row: nn.ModuleList(row)])
def test_row_is_indexed_sliced_and_grown_like_a_list(kind):
    row = kind(Add(0), Add(1), Add(2))
    assert len(row) == 3
    assert amounts(row) == [0, 1, 2]
    assert row[-1].amount == 2
    assert amounts(row[1:]) == [1, 2]
    assert type(row[1:]) is type(row)
    assert row[1:][0] is row[1]
    assert amounts(row.append(Add(3)).extend([Add(4)])) == [0, 1, 2, 3, 4]
    row[1] = Add(9)
    assert amounts(row) == [0, 9, 2, 3, 4]
    assert [name for name, _ in row.named_children()] == ["0", "1", "2", "3", "4"]
    with pytest.raises(IndexError, match="index 5, expected one of 5 modules"):
        row[5]


def test_same_module_twice_runs_twice():
    add = Add("b")
    assert nn.Sequential(add, add)("a") == "abb"


def test_row_is_not_disturbed_by_the_training_flag():
    row = nn.ModuleList([Add(0)]).eval()
    assert amounts(row.append(Add(1))) == [0, 1]


def test_dict_maps_names_to_modules():
    modules = nn.ModuleDict({"one": Add(1), "two": Add(2)})
    modules["three"] = Add(3)
    assert list(modules) == modules.keys() == ["one", "two", "three"]
    assert len(modules) == 3
    assert "two" in modules
    assert modules["two"].amount == 2
    assert amounts(modules.values()) == [1, 2, 3]
    assert modules.items()[0][0] == "one"
    del modules["two"]
    assert "two" not in modules
    with pytest.raises(KeyError):
        modules["two"]


@pytest.mark.parametrize("name", ["", "a.b", "forward", "training"])
def test_names_that_would_hide_something_are_refused(name):
    with pytest.raises(ArgumentError, match="expected one without dots"):
        nn.ModuleDict({name: Add(1)})


def test_what_is_no_module_is_refused():
    with pytest.raises(ArgumentError, match="`0` is a function, expected a Module"):
        nn.Sequential(lambda x: x)


def test_index_that_is_no_position_gets_a_sentence():
    row = nn.Sequential(nn.ReLU())
    with pytest.raises(ArgumentError, match="Sequential: index '0', expected an integ"):
        row["0"]
    with pytest.raises(IndexError, match="Sequential: index 1, expected one of 1 mod"):
        row[1]
    assert row[numpy.int64(0)] is row[0]
