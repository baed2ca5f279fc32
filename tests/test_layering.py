"""Who may import whom, read from the import statements."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

DOWN = {"errors": "", "typing": "", "random": "errors typing", "files": "errors"}
DOWN["backend"] = "errors typing"
DOWN["kernels"] = "backend random errors typing"
DOWN["tape"] = "kernels " + DOWN["kernels"]
DOWN["functional"] = "tape " + DOWN["tape"]
DOWN["inspect"] = DOWN["testing"] = "files " + DOWN["functional"]
DOWN["serialization"] = "tape backend files random errors typing"
DOWN["optim"] = "tape kernels backend errors typing"
DOWN["nn"] = "functional tape kernels backend random errors typing"

# What is not of the standard library, and who may import it.
OUTSIDE = {
    "numpy": ("",),
    "scipy": (
        "backend/",
        "kernels/",
        "inspect/curvature/hessian.py",
        "testing/fake_device.py",
    ),
    "cupy": ("backend/_registry.py", "testing/_cupy_names.py"),
    "cupyx": ("backend/_registry.py", "testing/_cupy_names.py"),
    "hypothesis": ("testing/strategies.py",),
    "matplotlib": ("inspect/",),
    "safetensors": ("serialization.py",),
}


def python_files(folder):
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path):
    """Yield the full names that a file imports, also by importlib and in functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            "import_module"
        ):
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant))


def uphill(package, path):
    """List what a file of minigrad imports that lies above its layer."""
    layer = path.relative_to(package).parts[0].removesuffix(".py")
    allowed = {layer, *DOWN.get(layer, "").split()}
    if layer == "__init__":
        return []
    return [
        name
        for name in imports(path)
        if name.split(".")[0] == "minigrad" and name.split(".")[1] not in allowed
    ]


def foreign(package, path):
    """List what a file of minigrad imports from packages that it may not use."""
    place = path.relative_to(package).as_posix()
    return [
        name
        for name in imports(path)
        if (top := name.split(".")[0]) not in sys.stdlib_module_names
        and top != "minigrad"
        and not place.startswith(OUTSIDE.get(top, ()))
    ]


def test_every_layer_has_a_rule():
    package = ROOT / "minigrad"
    layers = {path.name.removesuffix(".py") for path in package.iterdir()}
    assert layers - set(DOWN) <= {"__init__", "__pycache__", "py.typed"}


def test_imports_go_down_only():
    package = ROOT / "minigrad"
    assert [
        (path.name, bad)
        for path in python_files("minigrad")
        for bad in uphill(package, path)
    ] == []


def test_packages_of_others_are_imported_in_their_places_only():
    package = ROOT / "minigrad"
    assert [
        (path.name, bad)
        for path in python_files("minigrad")
        for bad in foreign(package, path)
    ] == []


@pytest.mark.parametrize(
    "line",
    [
        "from minigrad import nn",
        "from minigrad.nn import Linear",
        "import minigrad.functional",
        "def f():\n    from minigrad.inspect import gradient_flow",
        'importlib.import_module("minigrad.testing")',
    ],
)
def test_a_planted_import_upwards_is_found(tmp_path, line):
    planted = tmp_path / "tape" / "planted.py"
    planted.parent.mkdir()
    planted.write_text(line)
    assert len(uphill(tmp_path, planted)) == 1


def test_a_planted_package_is_found(tmp_path):
    planted = tmp_path / "tape" / "planted.py"
    planted.parent.mkdir()
    planted.write_text("import torch, numpy, os\nfrom cupy import add")
    assert foreign(tmp_path, planted) == ["torch", "cupy.add"]


def test_a_planted_relative_import_is_found(tmp_path):
    planted = tmp_path / "planted.py"
    planted.write_text("from . import graph")
    with pytest.raises(AssertionError, match="relative import"):
        list(imports(planted))


def test_kernels_import_no_sibling_but_private_helpers():
    for path in python_files("minigrad/kernels"):
        if path.name == "__init__.py":
            continue
        siblings = [n.split(".")[2] for n in imports(path) if ".kernels." in n]
        assert all(name.startswith("_") for name in siblings), path.name


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_module_imports_itself_in_a_circle():
    files = python_files("minigrad")
    known = {module_name(path) for path in files}
    edges = {
        module_name(path): {
            name if name in known else name.rpartition(".")[0]
            for name in imports(path)
            if name.startswith("minigrad")
        }
        & known
        for path in files
    }
    done = set()

    def visit(module, above):
        assert module not in above, " -> ".join([*above, module])
        if module not in done:
            for target in sorted(edges[module] - {module}):
                visit(target, [*above, module])
            done.add(module)

    for module in sorted(known):
        visit(module, [])


@pytest.mark.parametrize("folder", ["minigrad", "datasets", "models", "bench"])
def test_nothing_is_imported_for_type_checkers_alone_or_by_star(folder):
    for path in python_files(folder):
        text = path.read_text(encoding="utf-8")
        assert "TYPE_CHECKING" not in text, path
        assert not [n for n in imports(path) if n.endswith(".*")], path


# To download, to read FLAC, and to resample, which is when they are imported.
IN_DATASETS = {"_fetch.py": "pooch", "_flac.py": "soundfile", "audio.py": "scipy"}


def test_datasets_need_numpy_alone_until_something_else_is_asked_for():
    for path in python_files("datasets"):
        outside = {n.split(".")[0] for n in imports(path)} - {"datasets", "numpy"}
        outside -= sys.stdlib_module_names
        assert outside <= {IN_DATASETS.get(path.name)}, path
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert not outside & {ast.unparse(node).split()[1].split(".")[0]}, path


def test_models_import_neither_tests_nor_bench():
    for path in python_files("models"):
        assert not {n.split(".")[0] for n in imports(path)} & {"tests", "bench"}, path
