"""Execute the chapters in parallel and put the results in the build's cache, where `jupyter-book build .` finds them.

Run as `python book/_ext/prefill.py`. Only chapters whose code changed are executed. A chapter that fails is left for
the build, which shows the error in its place.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml
from execution import ROOT, inputs_hash, prepare_kernels, refresh_cache
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution
from myst_nb.core.config import NbParserConfig
from myst_nb.core.read import create_nb_reader
from myst_parser.config.main import MdParserConfig


def pages(toc: dict) -> list[Path]:
    """The files of the table of contents."""
    names = [toc["root"]] + [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [ROOT / f"{name}.md" for name in names]


def read(path: Path):
    """The notebook in a page, read exactly as the build reads it, or None for a page without code."""
    text = path.read_text(encoding="utf-8")
    reader = create_nb_reader(str(path), MdParserConfig(), NbParserConfig(), text)
    notebook = reader.read(text) if reader else None
    return notebook if notebook and any(cell.cell_type == "code" for cell in notebook.cells) else None


def execute(path: Path, notebook, timeout: int):
    """Run a notebook in its own kernel; threads suffice, for the work is done in the kernels."""
    result = single_nb_execution(notebook, cwd=str(path.parent), timeout=timeout, allow_errors=False)
    print(
        f"{path.stem:<28} {result.time:6.1f} s{'' if result.err is None else '  failed; the build shows where'}",
        flush=True,
    )
    return result


def main() -> None:
    prepare_kernels()
    build = ROOT / "_build"
    refresh_cache(build, inputs_hash())
    cache = get_cache(build / ".jupyter_cache")
    timeout = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["execute"]["timeout"]
    waiting = {}
    for path in pages(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))):
        notebook = read(path)
        if notebook is None:
            continue
        try:
            cache.match_cache_notebook(notebook)
        except KeyError:
            waiting[path] = notebook
    # Each kernel gets its share of the cores: two that both take all of them are slower than one after the other.
    cores = os.cpu_count() or 1
    workers = max(1, min(cores, len(waiting)))
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // workers)))
    with ThreadPoolExecutor(workers) as pool:
        results = pool.map(lambda item: (item[0], execute(*item, timeout)), waiting.items())
        for path, result in results:
            if result.err is None:
                bundle = CacheBundleIn(result.nb, str(path), data={"execution_seconds": result.time})
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


if __name__ == "__main__":
    main()
