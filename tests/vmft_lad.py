#!/usr/bin/env python3
"""Compares bellwether's LAD with VMFT-LAD as published (IEEE Access 12, 2024), its authors' Python, on the same log keys.

    VMFT_LAD=CLONE tests/vmft_lad.py BELLWETHER

CLONE is a clone of https://github.com/CloudnetUCSC/VMFT-LAD, BELLWETHER the command `bellwether`. The log keys and the verdicts
on them are those of ../shared/data/vm-failure-logs, as seen from the project's folder, or else the clone's own. What comes after
parsing is run on them: the store of windows, the distance, the question for a verdict, which is looked up and asks no language
model. The published detector is imported from the clone and called as its authors call it; mode=paper has to flag the same
windows. How those that mode=symbolic flags differ is told, and each has to differ for a reason that is known. The time of a
record is CPU time: in Python of the detector alone, here of the whole command, its reading of the keys included. drain3, which
the clone imports, is installed from PyPI into the virtual environment of tests/parity.py.

Exit status: 0 no difference, or nothing to compare (said loudly); 1 a difference; 2 drain3 could not be installed, or VMFT_LAD
names no such clone.
"""
import csv
import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # neither beside this file nor in the clone

from parity import ROOT, environment

REPOSITORY = "https://github.com/CloudnetUCSC/VMFT-LAD"
DETECTOR = os.path.join("VMFT_LAD", "vmft_lad", "BaseDetector.py")
DATA = os.path.join(ROOT, "..", "shared", "data", "vm-failure-logs")
WINDOW, TRAINING, SIMILAR, ANOMALY = 4, 150, 0.05, 0.15
PAPER = {
    "mode": "paper",
    "window_size": WINDOW,
    "training": TRAINING,
    "similarity_threshold": SIMILAR,
    "anomaly_threshold": ANOMALY,
    "push": "false",
}
SYMBOLIC = {"mode": "symbolic", "window_size": WINDOW, "training": TRAINING}
RUNS = 5


def given(data):
    """The log keys of each series and the keys that are faulty, of the folder of VM failure logs."""
    with gzip.open(os.path.join(data, "keys.json.gz")) as file:
        keys = json.load(file)
    with open(os.path.join(data, "gpt35_verdicts.csv"), encoding="utf-8") as file:
        return keys, {int(row["key"]) for row in csv.DictReader(file) if row["faulty"] == "true"}


def published(clone):
    """The same, of a clone."""
    keys = {}
    for folder, _, names in sorted(os.walk(os.path.join(clone, "data"))):
        for name in sorted(name for name in names if name.endswith(".csv")):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                series = f"{os.path.basename(folder)}/{name[:-4]}"
                keys[series] = [int(row["value"]) for row in csv.DictReader(file)]
    verdicts = os.path.join(clone, "VMFT_LAD", "log_inference_providers", "GPT3", "GPT3_few_shot_out.csv")
    with open(verdicts, encoding="utf-8") as file:
        return keys, {int(row["log_key"]) for row in csv.DictReader(file) if row["label"] == "True"}


def reference(clone, path):
    """What the published detector gives: the scores of each series, microseconds a record. Runs in the virtual environment."""
    sys.path.insert(0, os.path.join(clone, "VMFT_LAD"))
    from heap_providers.SubsequenceMaxHeap import SubsequenceMaxHeap
    from vmft_lad.BaseDetector import BaseDetector, template_miner

    with open(path, encoding="ascii") as file:
        keys, faulty = json.load(file)
    clusters = template_miner.drain.id_to_cluster
    verdicts = {clusters[key].get_template(): key in faulty for series in keys.values() for key in series}

    class Verdicts:
        def initialise(self):
            pass

        def infer(self, log):
            return verdicts[log]

    scores, start = {}, time.process_time()
    for name, series in keys.items():
        detector = BaseDetector(Verdicts(), SubsequenceMaxHeap(), series, WINDOW, TRAINING, SIMILAR, ANOMALY)
        scores[name] = [detector.handleRecord(at) for at in range(len(series))]
    elapsed = time.process_time() - start
    return {"scores": scores, "us": elapsed * 1e6 / sum(map(len, keys.values()))}


def ours(command, options, keys, faulty):
    """What bellwether gives: the scores of each series, microseconds a record, the median of some runs."""
    with tempfile.TemporaryDirectory() as scratch:
        keys_path, verdicts_path, scores_path = (os.path.join(scratch, name) for name in ("keys", "verdicts", "scores"))
        with open(keys_path, "w", encoding="ascii") as file:
            json.dump(keys, file)
        with open(verdicts_path, "w", encoding="ascii") as file:
            known = sorted({key for series in keys.values() for key in series})
            file.write("key,faulty\n" + "".join(f"{key},{str(key in faulty).lower()}\n" for key in known))
        run = [command, "replay", "keys", "--keys", keys_path, "--verdicts", verdicts_path, "--scores", scores_path]
        run += [f"--set={name}={value}" for name, value in options.items()]
        times = []
        for _ in range(RUNS):
            before = cpu_of_children()
            subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
            times.append(cpu_of_children() - before)
        scores = {name: [0.0] * len(series) for name, series in keys.items()}
        with open(scores_path, encoding="utf-8") as file:
            for row in map(json.loads, file):
                scores[row["series"]][row["index"]] = row["score"]
    return {"scores": scores, "us": statistics.median(times) * 1e6 / sum(map(len, keys.values()))}


def cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def places(scores, found):
    return {(name, at) for name, series in scores.items() for at, score in enumerate(series) if found(score)}


def compare(theirs, paper, symbolic):
    """Says how they differ, and whether that is more than is known."""
    flagged = places(theirs, lambda score: score == 1)
    paper_flagged = places(paper, lambda score: score == 1)
    failed = report("mode=paper: windows flagged by one of the two alone", flagged ^ paper_flagged)
    # Above the threshold of similarity, a score is the distance of the nearest of all known windows; below it, that of the first
    # similar one, and of those with as many hits a binary heap has another in front than a sorted list has.
    everywhere = places(theirs, lambda _: True)
    differ = {(name, at) for name, at in everywhere if abs(theirs[name][at] - paper[name][at]) > 1e-12}
    similar = {(name, at) for name, at in differ if max(theirs[name][at], paper[name][at]) <= SIMILAR}
    failed |= report("mode=paper: other scores", differ - similar)
    print(
        f"mode=paper: {len(flagged & paper_flagged)} windows are flagged by both; {len(similar)} that are like a known one (at most "
        f"{SIMILAR} away) have another score, by which of several like ones is found first"
    )
    # There a record is flagged and not a window, so the windows with such a record in them are what compares.
    records = places(symbolic, lambda score: score > 0)
    windows = {(name, i) for name, at in records for i in range(at, min(at + WINDOW, len(theirs[name])))}
    failed |= report("windows flagged as published, without a record flagged by mode=symbolic", flagged - windows)
    training = {(name, at) for name, at in windows - flagged if at < TRAINING}
    near = {(name, at) for name, at in windows - flagged - training if theirs[name][at] <= ANOMALY}
    failed |= report("windows flagged by mode=symbolic alone", windows - flagged - training - near)
    print(
        f"mode=symbolic: {len(records)} records are flagged, which are in {len(windows)} windows; as published, of these "
        f"{len(flagged & windows)} are flagged, {len(training)} are in training, and {len(near)} are near a known window by the "
        "numbers of their keys"
    )
    return failed


def report(what, found):
    if found:
        print(f"{len(found)} DIFFERENCES: {what}: " + ", ".join(f"{name} {at}" for name, at in sorted(found)[:10]))
    return bool(found)


def main():
    if sys.argv[1] == "--reference":
        json.dump(reference(*sys.argv[2:]), sys.stdout)
        return 0
    command, clone = sys.argv[1], os.environ.get("VMFT_LAD")
    if not clone:
        print(f"SKIPPED: VMFT-LAD as published: VMFT_LAD names no clone of {REPOSITORY}", file=sys.stderr)
        return 0
    clone = os.path.abspath(clone)
    if not os.path.exists(os.path.join(clone, DETECTOR)):
        print(f"VMFT-LAD: VMFT_LAD is {clone}, no clone of {REPOSITORY}: it has no {DETECTOR}", file=sys.stderr)
        return 2
    try:
        python = environment()
    except subprocess.SubprocessError as error:
        print(f"VMFT-LAD: drain3, which it imports, could not be installed: {error}", file=sys.stderr)
        return 2
    keys, faulty = given(DATA) if os.path.isdir(DATA) else published(clone)
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
        json.dump([keys, sorted(faulty)], file)
        file.flush()
        run = [python, os.path.abspath(__file__), "--reference", clone, file.name]
        theirs = json.loads(subprocess.run(run, check=True, stdout=subprocess.PIPE).stdout)
    paper, symbolic = (ours(command, options, keys, faulty) for options in (PAPER, SYMBOLIC))
    print(
        f"{sum(map(len, keys.values()))} log keys of {len(keys)} series: VMFT-LAD as published {theirs['us']:.1f} us a record; "
        f"here, reading them included, mode=paper {paper['us']:.2f} us, mode=symbolic {symbolic['us']:.2f} us"
    )
    return 1 if compare(theirs["scores"], paper["scores"], symbolic["scores"]) else 0


if __name__ == "__main__":
    sys.exit(main())
