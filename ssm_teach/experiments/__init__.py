"""Small numerical experiments that a chapter tells of and a reader can do again.

One module each, with a function ``run(...) -> dict`` whose arguments are the settings, all with defaults, and whose
result is plain numbers, lists and dictionaries:

    python -m ssm_teach.experiments hankel_ranks

runs it with its defaults and writes ``results/hankel_ranks.json``: settings, result, how long it took on what, library
versions, commit and command. A chapter reads that record with `ssm_teach.records.load_record`, and runs a small one:

    from ssm_teach.experiments import hankel_ranks
    hankel_ranks.run(draws=2, sizes=[16, 32])

A new experiment is a new module here; nothing else has to know of it.
"""

import importlib
import inspect
import pkgutil
import time

import torch

from ssm_teach import records
from ssm_teach.errors import choose, require
from ssm_teach.files import write_json

__all__ = ["names", "record", "settings_of"]


def names() -> list[str]:
    """The experiments there are: the modules of this package."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def settings_of(name: str) -> dict:
    """The settings that ``run`` of the experiment has when it is given none.

    Raises: UserError: no such experiment.
    """
    parameters = inspect.signature(_module(name).run).parameters.values()
    for parameter in parameters:
        complete = parameter.default is not parameter.empty
        require(complete, f"experiments: {name}.run({parameter.name}) needs a default, or the record cannot be remade")
    return {parameter.name: parameter.default for parameter in parameters}


def record(name: str) -> dict:
    """Run the experiment with its defaults and keep everything needed to judge it in ``results/<name>.json``."""
    settings, experiment = settings_of(name), _module(name)
    started = time.monotonic()
    result = experiment.run()
    kept = {
        "kind": "experiment",
        "name": name,
        "about": inspect.getdoc(experiment).splitlines()[0],
        "settings": settings,
        "result": result,
        "wall_seconds": round(time.monotonic() - started, 1),
        "device": records.device_in_words(torch.device("cpu")),
        "command": f"python -m ssm_teach.experiments {name}",
        **records.provenance(),
    }
    write_json(records.RESULTS / f"{name}.json", kept)
    return kept


def _module(name: str):
    return importlib.import_module(f"{__name__}.{choose('experiments', 'experiment', name, names())}")
