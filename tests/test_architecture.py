"""Imports run one way, downwards: each room may import only the rooms named here."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import shipline

ROOT = Path(shipline.__file__).parent
MAY_IMPORT = {
    "language": set(),
    "protocol": set(),
    "cluster": set(),
    "images": set(),
    "objects": set(),
    "doctor": {"protocol"},
    "runner": {"protocol", "objects"},
    "engine": {"language", "protocol"},
    "server": {"language", "protocol", "engine", "objects"},
    "cli": {"language", "protocol", "cluster", "images", "doctor", "runner", "engine", "server", "objects"},
}


def rooms_imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = (name.split(".") for name in names if name.startswith("shipline."))
    return {p[1] for p in parts} & set(MAY_IMPORT)


def modules_imported(path: Path, known: set[str]) -> set[str]:
    """The modules that one imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & known or {node.module} & known
    return found


def test_no_module_imports_itself_by_way_of_others():
    paths = {
        ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in ROOT.rglob("*.py")
    }
    graph = {name: modules_imported(path, set(paths)) for name, path in paths.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(paths)


def test_every_room_is_listed():
    assert {p.parent.name for p in ROOT.glob("*/__init__.py")} == set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_downwards(room):
    for path in (ROOT / room).rglob("*.py"):
        extra = rooms_imported(path) - MAY_IMPORT[room] - {room}
        assert not extra, f"{path.relative_to(ROOT)} imports {', '.join(sorted(extra))}"
