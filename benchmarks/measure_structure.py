"""Measure the shape of the package: sizes, folders, function lengths, imports and repeated names.

Reads the source with `ast` and imports nothing of it, so that it also measures an older checkout:

    python benchmarks/measure_structure.py [ROOT]

ROOT is a folder that holds `vidagent/`; the default is this repository. Goals stand beside what they apply to.
"""

import ast
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGE = "vidagent"
EVALUATION = (
    "vidagent/evaluation/",
    "vidagent/serve/eval/",
    "vidagent/serve/judge/",
)  # the last two: until its move
# What the extras of pyproject.toml install, by import name. An import inside a function is right for these.
EXTRAS = frozenset(
    """accelerate bitsandbytes fastapi langserve matplotlib mcp opentelemetry prometheus_client psutil ray sse_starlette
    starlette torch torchcodec transformers uvicorn vllm""".split()
)
MAX_LINES = 37_000
MAX_MODULES = 14  # in one folder
MAX_FUNCTION_LINES = 60
MAX_INNER_IMPORTS = 20  # inside functions, beyond extras
SHORT_LINES = 75


@dataclass(frozen=True)
class Module:
    """One source file of the package, parsed."""

    name: str  # dotted
    path: str  # relative to the root, with slashes
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.source, self.path)

    @cached_property
    def lines(self) -> int:
        """The number of lines."""
        return self.source.count("\n")

    @property
    def folder(self) -> str:
        """The folder's path, relative to the root."""
        return self.path.rpartition("/")[0]

    @property
    def is_package(self) -> bool:
        """Whether it is an `__init__.py`."""
        return self.path.endswith("/__init__.py")

    def functions(self) -> Iterator[tuple[str, int]]:
        """Yield each function's name and length in lines, decorators left out."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                yield node.name, node.end_lineno - node.lineno + 1

    def public_names(self) -> set[str]:
        """Return the functions, classes, constants and type aliases defined at the top level, without `_names`."""
        names: set[str] = set()
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Assign):
                names.update(target.id for target in node.targets if isinstance(target, ast.Name))
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.add(node.target.id)
        return {name for name in names if not name.startswith("_")}


def main() -> None:
    """Print the measurements of the tree that the command line names."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    modules = list(read_modules(root))
    if not modules:
        sys.exit(f"no {PACKAGE}/ with Python files in {root}")
    report_size(modules)
    report_folders(modules)
    report_functions(modules)
    report_imports(modules)
    report_names(modules)


def read_modules(root: Path) -> Iterator[Module]:
    """Yield every Python file of the package below `root`."""
    for file in sorted((root / PACKAGE).rglob("*.py")):
        path = file.relative_to(root).as_posix()
        name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        yield Module(name, path, file.read_text("utf-8"))


def report_size(modules: list[Module]) -> None:
    """Print lines and files of the package, with and without its evaluation."""
    rest = [module for module in modules if not module.path.startswith(EVALUATION)]
    lines = sum(module.lines for module in rest)
    print(f"package              {sum(module.lines for module in modules):>7,} lines {len(modules):>5} files")
    print(f"without evaluation   {lines:>7,} lines {len(rest):>5} files   goal: at most {MAX_LINES:,} lines")
    lengths = sorted(module.lines for module in modules if not module.is_package)
    print(f"file length          {statistics.median(lengths):>7.0f} median {lengths[-1]:>4} longest")


def report_folders(modules: list[Module]) -> None:
    """Print the number of modules in each folder, largest first; `__init__.py` is not counted."""
    counts = Counter(module.folder for module in modules if not module.is_package)
    over = sum(count > MAX_MODULES for count in counts.values())
    print(f"\nmodules in a folder  {over} folders over {MAX_MODULES}   goal: none")
    for folder, count in counts.most_common():
        print(f"  {count:>3}  {folder}")


def report_functions(modules: list[Module]) -> None:
    """Print how long functions are, and name those over the goal."""
    functions = [
        (length, f"{module.path}:{name}") for module in modules for name, length in module.functions()
    ]
    lengths = sorted(length for length, _ in functions)
    p90 = lengths[len(lengths) * 9 // 10]
    long = sorted((entry for entry in functions if entry[0] > MAX_FUNCTION_LINES), reverse=True)
    print(f"\nfunction length      {statistics.median(lengths):.0f} median, {p90} p90, {lengths[-1]} longest")
    print(f"over {MAX_FUNCTION_LINES} lines        {len(long)}   goal: none")
    for length, name in long:
        print(f"  {length:>3}  {name}")


def report_imports(modules: list[Module]) -> None:
    """Print the modules that only one other imports, and the imports inside functions."""
    by_name = {module.name: module for module in modules}
    importers: dict[str, set[str]] = defaultdict(set)
    inner: Counter[str] = Counter()
    inner_beyond_extras: Counter[str] = Counter()
    top_imports = {
        module.name: set(_imported(_statements(module.tree, False), by_name)) for module in modules
    }
    extras = _modules_on_extras(top_imports)
    for module in modules:
        inside = list(_statements(module.tree, True))
        targets = top_imports[module.name] | set(_imported(inside, by_name))
        for target in targets & by_name.keys() - {module.name}:
            importers[target].add(module.name)
        inner[module.path] += len(inside)
        inner_beyond_extras[module.path] += sum(
            not any(_is_extra(target, extras) for target in _imported([statement], by_name))
            for statement in inside
        )
    single = [
        by_name[name] for name, users in importers.items() if len(users) == 1 and not by_name[name].is_package
    ]
    short = sum(module.lines < SHORT_LINES for module in single)
    print(f"\nimported by one other module   {len(single)}, of which {short} are under {SHORT_LINES} lines")
    print(f"imports inside functions       {inner.total()}")
    beyond = inner_beyond_extras.total()
    print(f"  beyond optional extras       {beyond}   goal: at most {MAX_INNER_IMPORTS}")
    for path, count in inner_beyond_extras.most_common():
        if count:
            print(f"  {count:>3}  {path}")


def report_names(modules: list[Module]) -> None:
    """Print the public names defined in three or more modules, command entry points and all."""
    places: dict[str, list[str]] = defaultdict(list)
    for module in modules:
        for name in module.public_names():
            places[name].append(module.name.removeprefix(f"{PACKAGE}."))
    repeated = sorted(
        (name for name in places if len(places[name]) >= 3), key=lambda name: -len(places[name])
    )
    print(f"\npublic names in three or more modules   {len(repeated)}")
    for name in repeated:
        print(f"  {len(places[name]):>3}  {name}: {', '.join(places[name])}")


def _statements(tree: ast.Module, inside: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the import statements inside functions, or those outside of them, type checkers' left out."""

    def walk(node: ast.AST, in_function: bool) -> Iterator[ast.Import | ast.ImportFrom]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import | ast.ImportFrom):
                if in_function is inside:
                    yield child
            elif not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)):
                is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from walk(child, in_function or is_function)

    return walk(tree, False)


def _imported(statements: Iterable[ast.Import | ast.ImportFrom], ours: Iterable[str]) -> Iterator[str]:
    """Yield the dotted names of the modules that `statements` import; of ours, the submodule that is meant."""
    for statement in statements:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif statement.module:
            for alias in statement.names:
                full = f"{statement.module}.{alias.name}"
                yield full if full in ours else statement.module


def _modules_on_extras(top_imports: dict[str, set[str]]) -> frozenset[str]:
    """Return the modules of ours that import an extra at their top, by way of others of ours too."""
    found: set[str] = set()
    while True:
        new = {
            name
            for name, targets in top_imports.items()
            if name not in found and any(_is_extra(target, found) for target in targets)
        }
        if not new:
            return frozenset(found)
        found |= new


def _is_extra(target: str, ours_on_extras: Iterable[str]) -> bool:
    return target.partition(".")[0] in EXTRAS or target in ours_on_extras


if __name__ == "__main__":
    main()
