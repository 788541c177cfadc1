#!/usr/bin/env python3
"""Makes the cases that the baselines are tested on: what the reference implementations give on a few small series.

    make.py --bnb DIR [--r-library DIR]

iforest.json: scikit-learn's IsolationForest (1.9.1 from PyPI), 3000 trees.
bnb.json:     the authors' own program, in DIR (bnb.zip from Bryan Hooi's page, unpacked), 2000 trees.
ecp.json:     R's ecp (3.1.6 from CRAN, with r-base-core and r-cran-rcpp from Debian), 199 permutations.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent


def steps(rng, rows, columns, changes):
    """Noise around levels that change at the rows `changes`; values as in a file, with two digits."""
    level = rng.uniform(5, 40, columns)
    series = np.empty((rows, columns))
    for row in range(rows):
        if row in changes:
            level = level * rng.uniform(1.5, 2.5, columns)
        series[row] = level * (1 + 0.15 * rng.standard_normal(columns))
    return series.round(2)


def numbers(values):
    return [None if np.isnan(value) else round(float(value), 5) for value in values]


def iforest(rng):
    from sklearn.ensemble import IsolationForest
    for rows, columns, subsample in ((60, 2, 60), (80, 5, 32)):
        points = steps(rng, rows, columns, ())
        points[:3] *= 2
        # A column without variation is never split.
        points[:, -1] = 7 if columns > 2 else points[:, -1]
        forest = IsolationForest(n_estimators=3000, max_samples=subsample, random_state=1).fit(points)
        yield {"subsample": subsample, "points": points.tolist(), "scores": numbers(-forest.score_samples(points))}


def bnb(rng, folder):
    sys.path.insert(0, folder)
    import changetree
    import online_forest
    sample = random.sample
    # The program is of a time when a population could be an array.
    online_forest.rn.sample = lambda population, k: sample(list(population), k)
    random.seed(1)
    for rows, columns, window, height, changes in ((80, 3, 10, 12, (40,)), (110, 6, 15, 8, (30, 75))):
        series = steps(rng, rows, columns, changes)
        offline, _ = changetree.change_score(series, 2000, window, height)
        online, _ = changetree.change_score_online(series, 2000, window, height)
        yield {"window": window, "height": height, "rows": series.tolist(), "offline": numbers(offline),
               "online": numbers(online)}


def ecp(rng, library):
    program = """
        .libPaths(c(commandArgs(TRUE)[1], .libPaths())); library(ecp); set.seed(1)
        x <- as.matrix(read.csv(file("stdin"), header = FALSE)); size <- as.integer(commandArgs(TRUE)[2])
        alpha <- as.numeric(commandArgs(TRUE)[3])
        cat(e.divisive(x, min.size = size, alpha = alpha)$order.found, "\\n")
        cat(e.divisive(x, k = 3, min.size = size, alpha = alpha)$order.found, "\\n")
    """
    for rows, columns, size, alpha, changes in ((120, 3, 20, 1, (50,)), (150, 2, 15, 1.5, (40, 90)), (90, 4, 20, 1, ())):
        series = steps(rng, rows, columns, changes)
        lines = "\n".join(",".join(map(str, row)) for row in series)
        out = subprocess.run(["Rscript", "-e", program, library, str(size), str(alpha)], input=lines, text=True, check=True,
                             capture_output=True).stdout
        # R counts from 1; the first two are the ends of the series.
        significant, three = ([int(row) - 1 for row in line.split()[2:]] for line in out.splitlines())
        yield {"min_size": size, "alpha": alpha, "rows": series.tolist(), "significant": significant, "three": three}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bnb", required=True)
    arguments.add_argument("--r-library", default=".")
    chosen = arguments.parse_args()
    for name, cases in (("iforest", iforest(np.random.default_rng(1))), ("bnb", bnb(np.random.default_rng(2), chosen.bnb)),
                        ("ecp", ecp(np.random.default_rng(3), chosen.r_library))):
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
        (HERE / f"{name}.json").write_text(f"[{lines}]\n")


if __name__ == "__main__":
    main()
