"""From settings to a registry: built-in toolsets, the files of ``TOOLS_PATH``, and entry points.

Each folder of ``TOOLS_PATH`` becomes a package of its own, made here: its files can say
``from . import tool`` and import their siblings, and two folders may hold files of the same name.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint
from importlib.metadata import entry_points as installed_entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from app.errors import ConfigurationError
from app.tools.autoflow import NO_AUTOFLOW, AutoFlow
from app.tools.base import Tool
from app.tools.context import NotPerformed, ToolContext
from app.tools.decorator import tool
from app.tools.registry import TOOLSETS, Registry, ToolSettings

ENTRY_POINTS: Final = "stackvm.tools"
_GIVEN: Final = {"tool": tool, "ToolContext": ToolContext, "NotPerformed": NotPerformed}
"""What a tool file finds in its own package."""


def load_registry(
    tools_path: Sequence[Path],
    *,
    tools_root: Path,
    autoflow: AutoFlow = NO_AUTOFLOW,
    entry_points: bool = True,
) -> Registry:
    """Every tool there is: built-in ones for ``tools_root`` and ``autoflow``, those of ``tools_path``, and
    installed ones.

    A folder's ``*.py`` files are loaded in order of name, except those that begin with ``_`` or ``.``; a tool
    counts where it was made, not where it was imported. Raises ``ConfigurationError`` naming file, line
    and cause for whatever can't be loaded, and for a name that two tools have.
    """
    registry = Registry()
    for make in TOOLSETS.values():
        _add_all(registry, make(ToolSettings(tools_root, autoflow)))
    for folder in dict.fromkeys(path.resolve() for path in tools_path):
        _add_all(registry, _folder_tools(folder))
    if entry_points:
        for entry in sorted(installed_entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
            _add_all(registry, _entry_tools(entry))
    return registry


def _add_all(registry: Registry, tools: Iterable[Tool]) -> None:
    for each in tools:
        registry.add(each)


def _folder_tools(folder: Path) -> Iterator[Tool]:
    if not folder.is_dir():
        raise ConfigurationError(
            f"TOOLS_PATH: {folder} is not a folder" if folder.exists() else f"TOOLS_PATH: no folder {folder}",
            hint="make the folder, or correct TOOLS_PATH",
        )
    files = [file for file in sorted(folder.glob("*.py")) if file.name[0] not in "_."]
    for file in files:
        _check_file_name(file)
    package = _make_package(folder)
    for file in files:
        yield from _tools_made_in(_imported(f"{package}.{file.stem}", file))


def _check_file_name(file: Path) -> None:
    if "." in file.stem or file.stem in _GIVEN:
        problem = "hides the name it stands for" if file.stem in _GIVEN else "can't be imported by that name"
        raise ConfigurationError(f"{file}: a tool file of this name {problem}", hint="rename the file")


def _make_package(folder: Path) -> str:
    """Put a package for ``folder`` in place and return its name. An earlier load of it is forgotten."""
    name = f"stackvm_tools_{sha256(str(folder).encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"
    for known in [known for known in sys.modules if known == name or known.startswith(f"{name}.")]:
        del sys.modules[known]
    own = folder / "__init__.py"
    spec = (
        spec_from_file_location(name, own, submodule_search_locations=[str(folder)])
        if own.is_file()
        else None
    )
    if spec is None:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
    package = module_from_spec(spec)
    vars(package).update(_GIVEN)
    sys.modules[name] = package
    if own.is_file() and spec.loader is not None:
        try:
            with _without_bytecode():
                spec.loader.exec_module(package)
        except (Exception, SystemExit) as error:
            raise _broken(own, error) from error
    return name


@contextmanager
def _without_bytecode() -> Iterator[None]:
    """Python's cache goes by size and second: a tool that was changed within one would go on as it was."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _imported(name: str, file: Path) -> ModuleType:
    try:
        with _without_bytecode():
            return import_module(name)
    except (Exception, SystemExit) as error:
        raise _broken(file, error) from error


def _broken(file: Path, error: BaseException) -> ConfigurationError:
    """One line for a file that can't be loaded: where, and why."""
    if isinstance(error, ConfigurationError):
        return error
    if isinstance(error, SyntaxError):
        place, cause = f"{error.filename or file}:{error.lineno or 1}", f"{type(error).__name__}: {error.msg}"
    else:
        place, cause = _blamed(file, error), _one_line(error)
    hint = "install it, or correct the import" if isinstance(error, ImportError) else "correct the file"
    return ConfigurationError(f"{place}: {cause}", hint=hint)


def _blamed(file: Path, error: BaseException) -> str:
    """``file:line`` of the innermost frame within the folder of ``file``."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).parent == file.parent:
            return f"{frame.filename}:{frame.lineno}"
    return f"{file}:1"


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")


def _tools_made_in(module: ModuleType) -> Iterator[Tool]:
    """The tools a module made, each once, in the order of its names."""
    seen: set[Tool] = set()
    for value in list(vars(module).values()):
        if isinstance(value, Tool) and value not in seen and _is_home(module.__name__, value):
            seen.add(value)
            yield value


def _is_home(module: str, candidate: Tool) -> bool:
    # A decorator of the author's own may call ours from elsewhere; a function may come from a library.
    return module in (candidate.module, candidate.function.__module__)


def _entry_tools(entry: EntryPoint) -> Iterator[Tool]:
    """An entry point may name a tool, a list of tools, or a module or package that made some."""
    label = f"entry point {entry.name} = {entry.value}"
    try:
        found: Any = entry.load()
    except (Exception, SystemExit) as error:
        raise ConfigurationError(
            f"{label}: {_one_line(error)}", hint="reinstall or remove the package that brings it"
        ) from error
    if isinstance(found, Tool):
        yield found
    elif isinstance(found, ModuleType):
        yield from _packaged_tools(found)
    elif isinstance(found, list | tuple) and all(isinstance(each, Tool) for each in found):
        yield from found
    else:
        raise ConfigurationError(
            f"{label}: found {type(found).__name__}", hint="name a module, a tool or a list of tools"
        )


def _packaged_tools(module: ModuleType) -> Iterator[Tool]:
    """The tools among a module's names that the module or, of a package, its own parts made."""
    inside = f"{module.__name__}."
    tools = dict.fromkeys(value for value in vars(module).values() if isinstance(value, Tool))
    for each in tools:
        made_in = (each.module, each.function.__module__)
        if _is_home(module.__name__, each) or any(name.startswith(inside) for name in made_in):
            yield each
