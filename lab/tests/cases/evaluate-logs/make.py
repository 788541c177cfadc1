#!/usr/bin/env python3
"""Makes labels.json and scores.jsonl of this folder: random scores over labelled series of every kind. Needs nothing else.

    python3 make.py
"""

import json
import pathlib
import random

FOLDER = pathlib.Path(__file__).parent


def series(rng, scenario, number):
    records = rng.randrange(260, 900)
    label = {"scenario": scenario, "n": records, "train": 150, "inject": None, "fail": None}
    label |= {"label_region": None, "failure_point": None}
    scores = {}
    for _ in range(rng.randrange(12)):
        scores[rng.randrange(records)] = rng.choice([0.05, 0.2, 0.3, 0.35, round(rng.random(), 3)])
    if scenario != "benign":
        inject = rng.randrange(160, records - 60)
        # Some were labelled from their first record, or within training.
        inject = {0: 0, 1: 97}.get(number, inject)
        fail = rng.randrange(inject + 30, records - 5)
        # Some labels count from 1.
        shift = 1 if scenario == "hdd" else 0
        label |= {"inject": inject, "fail": fail}
        label |= {"label_region": inject + shift, "failure_point": fail + shift}
        seconds = rng.uniform(30, 1500)
        step = (fail - inject) // 5
        label["lead_s"] = [[inject + i * step, round(seconds * (1 - i / 5), 1)] for i in range(5)]
        label["lead_s"].append([fail, 0.0])
        for _ in range(rng.randrange(9)):
            scores[rng.randrange(inject, records)] = rng.choice([0.6, 0.95, 1.0, round(rng.random(), 3)])
    return label, dict(sorted(scores.items()))


def main():
    rng = random.Random(20240205)
    labels, lines = {}, []
    for scenario, count in (("hdd", 9), ("oom", 8), ("benign", 5)):
        for number in range(count):
            name = f"{scenario}/{number:02}"
            labels[name], scores = series(rng, scenario, number)
            for index, score in scores.items():
                lines.append(json.dumps({"series": name, "index": index, "score": score}))
    (FOLDER / "labels.json").write_text(json.dumps({"series": labels}) + "\n")
    (FOLDER / "scores.jsonl").write_text("\n".join(lines) + "\n")


main()
