#!/usr/bin/env python3
"""How good the detector for metrics is: F1 and false alarms on generated hypervisors.

    tests/quality.py [--seed N] [--reps N] [--curve] [NAME=VALUE ...]

Takes the generator, the scorer and the traces from the folder ../shared beside the checkout, and says so where they are
absent. NAME=VALUE are options of the detector. Prints Markdown tables; with --curve, what the option false_alarms_per_month
buys. The command that is judged is target/release/bellwether.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
BELLWETHER = ROOT / "target" / "release" / "bellwether"
VMS = (5, 8, 13, 30)
REGIMES = ("quiet", "raw")
FAULTS = ("easy", "hard", "difficult")
CALM = ("normal", "churn", "missing", "reset", "idle", "glitch", "tenant30", "diurnal")
SAMPLES = 575
INTERVAL_S = 300


def generate(folder, scenarios, regime, reps, seed):
    """Makes the cases of `scenarios` and gives their labels."""
    subprocess.run(
        [sys.executable, SHARED / "eval" / "gen_had.py", "--traces", SHARED / "data" / "vm-cpu-traces", "--out", folder,
         "--scenarios", ",".join(scenarios), "--vms", ",".join(map(str, VMS)), "--reps", str(reps),
         "--regime", regime, "--seed", str(seed)], check=True)
    return json.loads((pathlib.Path(folder) / "labels.json").read_text())["hypervisors"]


def detections(folder, options):
    """What the command raises on the cases in `folder`."""
    settings = [word for option in options for word in ("--set", option)]
    lines = subprocess.run([BELLWETHER, "replay", "metrics", *settings, folder], check=True, capture_output=True, text=True)
    events = map(json.loads, lines.stdout.splitlines())
    return [event for event in events if event["state"] == "raised"]


def table(title, rows):
    print(f"\n| {title} | " + " | ".join(f"{n} VMs" for n in VMS) + " |")
    print("| --- |" + " --- |" * len(VMS))
    for name, cells in rows:
        print(f"| {name} | " + " | ".join(cells) + " |")
    sys.stdout.flush()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--reps", type=int, default=100, help="hypervisors a cell; half of those with faults have one")
    arguments.add_argument("--curve", action="store_true", help="what false_alarms_per_month buys")
    arguments.add_argument("options", nargs="*", metavar="NAME=VALUE")
    chosen = arguments.parse_args()
    if not (SHARED / "eval" / "gen_had.py").is_file():
        print(f"SKIPPED: the generator of cases and its traces are not in {SHARED}", file=sys.stderr)
        return 0
    sys.path.insert(0, str(SHARED / "eval"))
    import eval_had

    days = SAMPLES * INTERVAL_S / 86_400
    for regime in REGIMES:
        with tempfile.TemporaryDirectory() as faulty, tempfile.TemporaryDirectory() as calm:
            print(f"generating {regime} cases ...", file=sys.stderr)
            faulty_labels = generate(faulty, FAULTS, regime, chosen.reps, chosen.seed)
            calm_labels = generate(calm, ("normal",) if chosen.curve else CALM, regime, chosen.reps, chosen.seed + 1000)
            for accepted in ("0.001", "0.01", "0.1", "1", "10") if chosen.curve else (None,):
                options = chosen.options + ([f"false_alarms_per_month={accepted}"] if accepted else [])
                by_fault = eval_had.score(faulty_labels, detections(faulty, options))
                by_calm = eval_had.score(calm_labels, detections(calm, options))
                label = f"{regime}, {accepted} accepted a month" if accepted else regime
                table(f"{label}: F1", [
                    (name, [f"{cells[str(n)]['f1']:.2f}" for n in VMS]) for name, cells in by_fault.items()])
                if accepted:
                    rate = [f"{by_calm['normal'][str(n)]['alarms_outside'] / chosen.reps / days * 30:.2f}" for n in VMS]
                    table(f"{label}: false alarms", [("a hypervisor and month", rate)])
                else:
                    table(f"{label}: hypervisors with a false alarm", [
                        (name, [f"{100 * cells[str(n)]['FP'] / cells[str(n)]['n']:.0f} %" for n in VMS])
                        for name, cells in by_calm.items()])
    return 0


if __name__ == "__main__":
    sys.exit(main())
