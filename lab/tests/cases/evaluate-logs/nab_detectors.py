#!/usr/bin/env python3
"""Makes baselines.json of this folder: what the detectors KNN-CAD and EXPoSE of the Numenta Anomaly Benchmark give for
made-up series of log keys. Needs numpy, scikit-learn and a checkout of https://github.com/numenta/NAB:

    python3 nab_detectors.py NAB
"""

import json
import pathlib
import random
import sys
import types

import numpy as np

FOLDER = pathlib.Path(__file__).parent
TRAINING = 80


class AnomalyDetector:
    """The part of NAB's base class that the detectors use."""

    def __init__(self, training):
        self.probationaryPeriod = training


def detector_classes(nab):
    sys.path.insert(0, str(nab / "nab" / "detectors" / "knncad"))
    sys.path.insert(0, str(nab / "nab" / "detectors" / "expose"))
    for name in ("nab", "nab.detectors", "nab.detectors.base"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["nab.detectors.base"].AnomalyDetector = AnomalyDetector
    # It was removed from numpy after the detectors were written.
    np.asscalar = lambda array: array.item()
    import expose_detector
    import knncad_detector

    return knncad_detector.KnncadDetector, expose_detector.ExposeDetector


def scores(detector, keys):
    return [round(float(detector.handleRecord({"value": float(key)})[0]), 9) for key in keys]


def series(rng):
    """Keys at random, then a stretch of other ones, then at random again."""
    usual = [rng.randrange(1, 120) for _ in range(250)]
    unusual = [rng.randrange(300, 700) for _ in range(12)]
    return usual[:170] + unusual + usual[170:]


def main():
    knn_cad, expose = detector_classes(pathlib.Path(sys.argv[1]))
    rng = random.Random(5)
    cases = []
    for _ in range(2):
        keys = series(rng)
        similar = expose(TRAINING)
        similar.initialize()
        cases.append(
            {
                "keys": keys,
                "knn_cad": scores(knn_cad(TRAINING), keys),
                "expose": scores(similar, keys),
            }
        )
    text = json.dumps({"training": TRAINING, "cases": cases})
    (FOLDER / "baselines.json").write_text(text + "\n")


main()
