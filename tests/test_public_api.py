"""What is public is named, true and tested."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import minigrad
import minigrad.kernels
from minigrad.kernels import KERNELS
from minigrad.kernels._spec import Kernel

ROOT = Path(__file__).parents[1]


def all_modules():
    yield minigrad
    for found in pkgutil.walk_packages(minigrad.__path__, "minigrad."):
        yield importlib.import_module(found.name)


PACKAGES = [module for module in all_modules() if hasattr(module, "__path__")]
KERNEL_MODULES = sorted(
    path.stem
    for path in (ROOT / "minigrad" / "kernels").glob("*.py")
    if not path.stem.startswith("_")
)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_all_lists_real_names_once_and_sorted(package):
    if package is minigrad.kernels:
        return
    names = package.__all__
    assert [name for name in names if not hasattr(package, name)] == []
    assert len(names) == len(set(names))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_what_all_lists_is_documented(package):
    for name in getattr(package, "__all__", ()):
        value = getattr(package, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            assert inspect.getdoc(value), f"{package.__name__}.{name}"


def test_no_default_argument_is_mutable():
    mutable = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
    for folder in ("minigrad", "datasets", "models", "bench"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.Lambda):
                    defaults = [*node.args.defaults, *node.args.kw_defaults]
                    bad = [d for d in defaults if isinstance(d, mutable)]
                    assert not bad, f"{path}:{node.lineno}"


def test_kernels_are_sorted_by_name_and_named_once():
    names = [kernel.name for kernel in KERNELS]
    assert names == sorted(set(names))


def defined_kernels():
    for name in KERNEL_MODULES:
        module = importlib.import_module(f"minigrad.kernels.{name}")
        for attribute, value in vars(module).items():
            if isinstance(value, Kernel) and not attribute.startswith("_"):
                yield name, attribute, value


def test_kernels_are_complete():
    listed = {id(kernel) for kernel in KERNELS}
    missing = [f"{m}.{a}" for m, a, k in defined_kernels() if id(k) not in listed]
    assert missing == []
    assert len(KERNELS) == len(list(defined_kernels()))


@pytest.mark.parametrize("module", KERNEL_MODULES)
def test_every_kernel_module_has_a_test_file(module):
    assert (ROOT / "tests" / "kernels" / f"test_{module}.py").exists()


@pytest.mark.parametrize("module", KERNEL_MODULES)
def test_every_kernel_is_exercised_by_its_test_file(module):
    """A test file names the kernel's object, or takes all of its module's."""
    text = (ROOT / "tests" / "kernels" / f"test_{module}.py").read_text()
    assert "check_kernel(" in text
    own = [attribute for m, attribute, _ in defined_kernels() if m == module]
    if "vars(" not in text:
        assert [attribute for attribute in own if attribute not in text] == []
