"""Print what `make demo` will do and how long it will take: python3 workflow/plan.py RUN...

This needs only Python, since it runs before the installation. Times are those of the reference results.
"""

import json
import sys
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "reports/reference/results.json"
OTHER_STAGES = 25  # seconds that a run needs for data, prediction, scores and report


def main(runs: list[str]) -> None:
    """Print a line for each run, the total time, and how to resume after an interruption."""
    content = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {"runs": {}}
    trainings = {run: found[0] for run, found in content["runs"].items()}
    print("This trains, predicts and scores, one after another:")
    total, machines = 0.0, set()
    for run in runs:
        if run not in trainings:
            print(f"  {run:14} (no reference: rsis status {run} says how far it is)")
            continue
        known = trainings[run]
        seconds = known["seconds"] + OTHER_STAGES
        total += seconds
        machines.add(f"{known['machine']}, {known['threads']} threads")
        print(f"  {run:14} on {known['dataset']}, about {seconds / 60:.0f} min")
    if machines:
        print(f"together about {total / 60:.0f} min after the installation, as on the reference machine")
        print(f"({'; '.join(sorted(machines))}); less where there is a GPU or there are more cores.")
    print("Ctrl-C stops it at any time; the same command goes on from the last finished epoch.")


if __name__ == "__main__":
    main(sys.argv[1:])
