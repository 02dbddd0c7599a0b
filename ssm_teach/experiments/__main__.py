"""``python -m ssm_teach.experiments NAME`` runs an experiment and writes ``results/NAME.json``."""

import sys

from ssm_teach.errors import UserError
from ssm_teach.experiments import names, record
from ssm_teach.records import RESULTS


def main(arguments: list[str]) -> int:
    """0 if a record was written, 2 if the user asked for something that there is not."""
    if len(arguments) != 1:
        usage = "experiments: give one name, python -m ssm_teach.experiments NAME"
        print(f"{usage}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    try:
        done = record(arguments[0])
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{done['name']}: {done['wall_seconds']} s, written to {RESULTS.name}/{done['name']}.json")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
