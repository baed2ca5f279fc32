import ast
from pathlib import Path

import pytest

import datasets
from datasets import DATASETS, DataError, _registry, load

PACKAGE = Path(datasets.__file__).parent


def test_names_are_listed() -> None:
    assert DATASETS == ("digits", "mnist", "cifar10", "cifar100", "svhn")


def test_misspelt_name_gets_a_suggestion() -> None:
    with pytest.raises(DataError) as caught:
        load("mnits")
    assert str(caught.value) == (
        "datasets: unknown data set 'mnits', expected one of digits, mnist, cifar10, "
        "cifar100, svhn (did you mean 'mnist'?)"
    )


def test_strange_name_gets_no_suggestion() -> None:
    with pytest.raises(DataError, match=r"digits, mnist, cifar10, cifar100, svhn$"):
        load("zzz")


def test_digits_are_there_whatever_the_root(tmp_path: Path) -> None:
    assert load("digits", tmp_path / "absent").name == "digits"


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda p: p.name)
def test_modules_import_neither_the_library_nor_pickle(path: Path) -> None:
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported.isdisjoint({"minigrad", "pickle", "requests", "sklearn"})


def test_what_has_no_images_names_its_own_loader() -> None:
    with pytest.raises(DataError) as caught:
        load("imdb")
    assert str(caught.value) == (
        "datasets: 'imdb' has no images, expected one of digits, mnist, cifar10, "
        "cifar100, svhn; call datasets.imdb.load()"
    )


@pytest.mark.parametrize("name", _registry.ALL)
def test_every_loader_stands_in_the_package_or_is_called_by_load(name: str) -> None:
    module = _registry.loader(name)
    assert name in DATASETS or getattr(datasets, name) is module


def test_what_is_no_name_is_an_unknown_data_set() -> None:
    with pytest.raises(DataError, match="unknown data set None, expected one of"):
        load(None)  # type: ignore[arg-type]
