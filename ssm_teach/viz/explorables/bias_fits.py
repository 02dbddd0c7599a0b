"""The recorded fits of `ssm_teach.experiments.frequency_fits` as the ES module that the explorable Bias imports.

After a new record: ``python -m ssm_teach.viz.explorables.bias_fits``, then the still pictures. A test compares the two.
"""

import json
from pathlib import Path

from ssm_teach.records import load_record

__all__ = ["FILE", "module_text"]

FILE = Path(__file__).with_name("bias.fits.mjs")

_MODULE = """\
// Written by bias_fits.py from results/frequency_fits.json: for each place, α and β the modes of the first seed,
// Re a, Im a, Re c, Im c of one after the other.
export const ALPHAS = {alphas};

export const BETAS = {betas};

export const FITS = {fits};
"""


def module_text(record: dict) -> str:
    """The module; every number with four digits, which moves no error by more than its third."""
    kept = {(fit["place"], fit["alpha"], fit["beta"]): fit for fit in record["result"]["fits"] if "a" in fit}
    alphas, betas = record["settings"]["alphas"], record["settings"]["betas"]
    fits = {place: [[_flat(kept[place, a, b]) for b in betas] for a in alphas] for place in ("loss", "layer")}
    written = json.dumps(fits, separators=(",", ":")).replace("]],", "]],\n")
    return _MODULE.format(alphas=json.dumps(alphas), betas=json.dumps(betas), fits=written)


def _flat(fit: dict) -> list[float]:
    modes = zip(fit["a"], fit["c"], strict=True)
    return [float(f"{number:.4g}") for a, c in modes for number in (*a, *c)]


if __name__ == "__main__":
    FILE.write_text(module_text(load_record("frequency_fits")), encoding="utf-8", newline="\n")
