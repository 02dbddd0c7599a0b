"""One ES module from a few: neither host of an explorable resolves a relative import, so Python joins the files.

The files keep to a narrow form, and anything else stops the join with the file and line:

- ``import { a, b } from "./file.mjs";`` on one line, before all other code, of names that file exports;
- ``export const``, ``export function``, ``export class`` at the start of a line;
- ``export default { render };`` once, as the last line of the entry file.

Imports are dropped, ``export`` is stripped, files follow one another in the order their imports need, and no two files
may share a top-level name, because after the join they share one scope. The same files give the same bytes.
"""

import re
from pathlib import Path

__all__ = ["JoinError", "join"]

_IMPORT = re.compile(r'import \{ ([\w, ]+) \} from "\./([\w.-]+)";')
_EXPORT = re.compile(r"export (?=(?:async function|function|const|class) (\w+))")
_TOP_LEVEL = re.compile(r"(?:export )?(?:async function|function\*?|const|let|var|class) ([\w$]+)")
_UNREADABLE = re.compile(
    r"^\s*(?:import\b|export\b)|\bimport\s*[(.]|\brequire\s*\(|^(?:const|let|var) [\[{]|^(?:const|let|var) [^=(]*,"
)
_DEFAULT = "export default { render };"


class JoinError(Exception):
    """A file does not keep to the form above."""


def join(entry: Path) -> str:
    """Return the module that ``entry`` and everything it imports make together.

    Raises: JoinError: for a form this step does not understand, a missing or clashing name, or a cycle.
    """
    files: dict[Path, _File] = {}
    _collect(entry, files, above=())
    _check_names(files)
    parts = [f"// {path.name}\n{file.body}" for path, file in files.items()]
    module = "\n".join(parts).rstrip() + "\n"
    if not module.endswith(f"\n{_DEFAULT}\n"):
        raise JoinError(f"{entry.name}: the last line must be '{_DEFAULT}'")
    return module


class _File:
    """One source file taken apart: what it imports, exports and names at top level, and its code without either."""

    def __init__(self, path: Path):
        self.imports: list[tuple[str, list[str]]] = []
        self.exports: set[str] = set()
        self.names: set[str] = set()
        lines = [self._take(path, k, line) for k, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)]
        self.body = "\n".join(line for line in lines if line is not None) + "\n"

    def _take(self, path: Path, k: int, line: str) -> str | None:
        if found := _IMPORT.fullmatch(line):
            if self.names:
                raise JoinError(f"{path.name}:{k}: an import must come before all other code: {line}")
            self.imports.append((found[2], found[1].split(", ")))
            return None
        if line == _DEFAULT:
            return line
        if declared := _TOP_LEVEL.match(line):
            if declared[1] in self.names:
                raise JoinError(f"{path.name}:{k}: {declared[1]} is declared twice")
            self.names.add(declared[1])
        if exported := _EXPORT.match(line):
            self.exports.add(exported[1])
            line = line[exported.end() :]
        if _UNREADABLE.search(line):
            raise JoinError(f"{path.name}:{k}: not a form that can be joined: {line.strip()}")
        return line


def _collect(path: Path, files: dict[Path, _File], above: tuple[Path, ...]) -> None:
    """Add ``path`` to ``files`` after everything it imports."""
    if path in above:
        raise JoinError(f"{path.name}: imports itself by way of {above[-1].name}")
    if path in files:
        return
    if not path.is_file():
        raise JoinError(f"{path.name}: no such file, imported by {above[-1].name if above else 'nobody'}")
    file = _File(path)
    for source, names in file.imports:
        target = path.parent / source
        _collect(target, files, (*above, path))
        if missing := sorted(set(names) - files[target].exports):
            raise JoinError(f"{path.name}: {source} does not export {', '.join(missing)}")
    files[path] = file


def _check_names(files: dict[Path, _File]) -> None:
    owner: dict[str, str] = {}
    for path, file in files.items():
        for name in sorted(file.names):
            if name in owner:
                raise JoinError(f"{path.name}: {name} is already a top-level name of {owner[name]}")
            owner[name] = path.name
