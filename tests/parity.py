#!/usr/bin/env python3
"""Compares bellwether's Drain with drain3 0.9.11, the reference implementation, on recorded logs.

    tests/parity.py BELLWETHER [LOGS]

BELLWETHER is the command `bellwether`; LOGS a folder of logs, by default ../shared/data/vm-failure-logs/logs, as seen from
the project's folder. Both get the same messages: of every line what follows the first ": ". The clusters of all lines, their
sizes and their templates have to be the same, under the authors' options and under some that use every limit; and the time
a line takes is told. drain3 is installed from PyPI into a virtual environment in target/parity.

Exit status: 0 no difference, or nothing to compare (said loudly); 1 a difference; 2 drain3 could not be installed.
"""
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time

DRAIN3 = "0.9.11"
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOGS = os.path.join(ROOT, "..", "shared", "data", "vm-failure-logs", "logs")
BORDER = r"((?<=[^A-Za-z0-9])|^)(%s)((?=[^A-Za-z0-9])|$)"
MASKS = [
    (BORDER % "([0-9a-f]{2,}:){3,}([0-9a-f]{2,})", "ID"),
    (BORDER % r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}", "IP"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9a-f]{6,} ?){3,}((?=[^A-Za-z0-9])|$)", "SEQ"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9A-F]{4} ?){4,}((?=[^A-Za-z0-9])|$)", "SEQ"),
    (BORDER % "0x[a-f0-9A-F]+", "HEX"),
    (BORDER % r"[\-\+]?\d+", "NUM"),
    (r'(?<=executed cmd )(".+?")', "CMD"),
]
AUTHORS = {"depth": 4, "sim_th": 0.4, "max_children": 100, "max_clusters": 1_000_000, "extra_delimiters": "_"}
CASES = {
    "the authors' options": AUTHORS,
    "a deep tree of few children": AUTHORS | {"depth": 7, "max_children": 4},
    "few clusters, so that the oldest have to go": AUTHORS | {"max_clusters": 60},
    "more delimiters, a shallow tree, high similarity": AUTHORS | {"extra_delimiters": "_:=", "depth": 3, "sim_th": 0.7},
}


def files(folder):
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith((".log", ".txt", ".gz"))]


def messages(folder):
    for path in files(folder):
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
            for line in file.read().decode("utf-8", "replace").split("\n")[:-1]:
                yield line.partition(": ")[2]


def reference(folder, options):
    """What drain3 gives: the cluster of each line, the clusters, microseconds a line. Runs in the virtual environment."""
    from drain3 import TemplateMiner
    from drain3.masking import MaskingInstruction
    from drain3.template_miner_config import TemplateMinerConfig

    config = TemplateMinerConfig()
    config.mask_prefix, config.mask_suffix = "<:", ":>"
    config.masking_instructions = [MaskingInstruction(pattern, name) for pattern, name in MASKS]
    config.drain_depth = options["depth"]
    config.drain_sim_th = options["sim_th"]
    config.drain_max_children = options["max_children"]
    config.drain_max_clusters = options["max_clusters"]
    config.drain_extra_delimiters = list(options["extra_delimiters"])
    miner = TemplateMiner(config=config)
    lines = list(messages(folder))
    start = time.process_time()
    assigned = [miner.add_log_message(line)["cluster_id"] for line in lines]
    elapsed = time.process_time() - start
    clusters = sorted((c.cluster_id, c.size, c.get_template()) for c in miner.drain.clusters)
    return {"assigned": assigned, "clusters": clusters, "us": elapsed * 1e6 / max(len(lines), 1)}


def ours(command, folder, options):
    with tempfile.TemporaryDirectory() as scratch:
        assign = os.path.join(scratch, "assigned")
        settings = [f"--set={name}={value}" for name, value in options.items()]
        run = [command, "templates", "--assign", assign, *settings, "--set=max_bytes=4000000000", folder]
        output = subprocess.run(run, check=True, stdout=subprocess.PIPE).stdout.decode()
        with open(assign, encoding="ascii") as file:
            assigned = [int(line) for line in file]
    rows = (line.split("\t", 4) for line in output.split("\n")[1:-1])
    return {"assigned": assigned, "clusters": [[int(row[0]), int(row[1]), row[4]] for row in rows]}


def differences(ours, theirs):
    if len(ours["assigned"]) != len(theirs["assigned"]):
        return [f"{len(ours['assigned'])} lines, drain3 has {len(theirs['assigned'])}"]
    lines = [
        f"line {at + 1}: cluster {one}, drain3: {other}"
        for at, (one, other) in enumerate(zip(ours["assigned"], theirs["assigned"]))
        if one != other
    ]
    mine, others = (set(map(tuple, each["clusters"])) for each in (ours, theirs))
    return (
        lines
        + [f"only here: {cluster}" for cluster in sorted(mine - others)]
        + [f"only in drain3: {cluster}" for cluster in sorted(others - mine)]
    )


def environment():
    """The Python of a virtual environment with drain3 in it."""
    folder = os.path.join(ROOT, "target", "parity")
    python = os.path.join(folder, "bin", "python")
    check = [python, "-c", f"import importlib.metadata as m; assert m.version('drain3') == '{DRAIN3}'"]
    if not os.path.exists(python) or subprocess.run(check, stderr=subprocess.DEVNULL).returncode:
        if os.environ.get("SETUP") == "no":
            raise subprocess.SubprocessError(f"drain3 {DRAIN3} is missing in {folder}; nothing is installed with SETUP=no")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"drain3=={DRAIN3}"], check=True)
    return python


def main():
    if sys.argv[1] == "--reference":
        json.dump(reference(sys.argv[2], json.loads(sys.argv[3])), sys.stdout)
        return 0
    command, folder = sys.argv[1], os.path.abspath(sys.argv[2] if len(sys.argv) > 2 else LOGS)
    if not os.path.isdir(folder) or not files(folder):
        print(f"SKIPPED: parity with drain3: there are no logs in {folder}", file=sys.stderr)
        return 0
    try:
        python = environment()
    except subprocess.SubprocessError as error:
        print(f"parity: drain3 could not be installed: {error}", file=sys.stderr)
        return 2
    failed = False
    for name, options in CASES.items():
        run = [python, os.path.abspath(__file__), "--reference", folder, json.dumps(options)]
        theirs = json.loads(subprocess.run(run, check=True, stdout=subprocess.PIPE).stdout)
        found = differences(ours(command, folder, options), theirs)
        verdict = f"{len(found)} DIFFERENCES" if found else "no difference"
        lines, clusters = len(theirs["assigned"]), len(theirs["clusters"])
        print(f"{name}: {lines} lines, {clusters} clusters: {verdict} (drain3 {theirs['us']:.1f} us a line)", flush=True)
        for line in found[:20]:
            print(f"    {line}")
        failed |= bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
