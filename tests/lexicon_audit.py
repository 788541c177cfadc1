#!/usr/bin/env python3
"""Finds the logging statements in C sources, classifies their messages with the lexicon, and reports by subsystem and level.

    lexicon_audit.py SOURCES CLASSIFY OUT

SOURCES is a folder of unpacked sources, CLASSIFY the program of core/examples/classify.rs. The report goes to standard
output; the lists to read go to OUT/flagged-low.txt (info, notice and debug that the lexicon flags) and
OUT/silent-high.txt (crit, alert and emerg that it does not).
"""

import collections
import os
import re
import subprocess
import sys

LEVELS = {
    "emerg": "high", "alert": "high", "crit": "high",
    "err": "err", "warning": "warning",
    "notice": "low", "info": "low", "debug": "low",
}
SPELLINGS = {
    "emergency": "emerg", "critical": "crit", "error": "err", "warn": "warning", "dbg": "debug", "cont": "info",
    "default": "warning", "devel": "debug", "vrb": "info", "trace": "debug", "report": "err", "vdbg": "debug",
}
NAMES = "emerg|emergency|alert|crit|critical|err|error|warn|warning|notice|info|dbg|debug"

# A macro whose name says the level: pr_err, dev_warn_ratelimited, log_unit_debug_errno, xfs_alert, VIR_WARN, ...
BY_NAME = re.compile(
    r"\b(?:pr|dev|netdev|netif|pci|ata_dev|ata_port|ata_link|xfs|btrfs|ext4|jfs|nfs|cifs|mlx5_core|mlx5e|mlx4|e|hw|ibdev|drm|"
    r"mce|f2fs|acpi|bcache|bnx2x|ice|i40e|iwl|vdpa|virtio|fs|gfs2|log|log_unit|log_device|log_link|log_netdev|log_syntax|log_job|VIR)"
    rf"_({NAMES}|EMERG|ALERT|CRIT|ERROR|WARN|NOTICE|INFO|DEBUG)(?:_errno|_once|_ratelimited|_rl|_in_rcu)*\s*\("
)
# A macro that is given the level: printk(KERN_ERR ...), sd_printk(KERN_ERR, ...), ext4_msg(sb, KERN_ERR, ...).
BY_KERN = re.compile(
    r"\b(?:printk(?:_ratelimited|_once|_deferred)?|\w+_printk|\w+_msg|\w+_printf)\s*\((?=[^;\"]{0,80}\bKERN_([A-Z]+))"
)
# Macros that have one level.
FIXED = {
    "panic": "emerg", "nmi_panic": "emerg", "DMERR": "err", "DMERR_LIMIT": "err", "DMWARN": "warning", "DMWARN_LIMIT": "warning",
    "DMINFO": "info", "DMCRIT": "crit", "error_report": "err", "warn_report": "warning", "info_report": "info",
    "error_setg": "err", "error_setg_errno": "err", "virReportError": "err", "virReportSystemError": "err",
    "ext4_error": "crit", "ext4_warning": "warning", "ext4_abort": "emerg", "EXT4_ERROR_INODE": "crit",
    "btrfs_handle_fs_error": "crit", "btrfs_abort_transaction": "crit", "WARN": "warning", "WARN_ONCE": "warning",
}
BY_FIXED = re.compile(r"\b(" + "|".join(FIXED) + r")\s*\(")
# multipath-tools: the first argument is the verbosity.
CONDLOG = re.compile(r"\bcondlog\s*\(\s*([0-4])")
CONDLOG_LEVELS = ["err", "warning", "notice", "info", "debug"]

# What the functions behind the macros put before the message.
FRONT = {
    "ext4_error": "EXT4-fs error (device sda1):", "EXT4_ERROR_INODE": "EXT4-fs error (device sda1):",
    "ext4_abort": "EXT4-fs error (device sda1):", "ext4_warning": "EXT4-fs warning (device sda1):",
    "ext4_msg": "EXT4-fs (sda1):", "xfs_emerg": "XFS (sda1):", "xfs_alert": "XFS (sda1):", "xfs_crit": "XFS (sda1):",
    "btrfs_emerg": "BTRFS emergency (device sda1):", "btrfs_alert": "BTRFS alert (device sda1):",
    "btrfs_crit": "BTRFS critical (device sda1):", "btrfs_err": "BTRFS error (device sda1):",
    "btrfs_handle_fs_error": "BTRFS: error (device sda1)", "panic": "Kernel panic - not syncing:",
    "nmi_panic": "Kernel panic - not syncing:", "DMERR": "device-mapper:", "DMCRIT": "device-mapper:",
}

STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
CONVERSION = re.compile(r"%[-+ #0]*[\d*]*(?:\.[\d*]+)?(?:hh|h|ll|l|z|t|j)*([a-zA-Z%])(?:[A-Z][a-zA-Z0-9]*)?")
PREFIX = re.compile(r"#\s*define\s+pr_fmt\(\w+\)\s+(.*)")
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def subsystem(path):
    """The heading under which the file `path` is counted."""
    parts = path.split(os.sep)
    name = parts[0].split("-")[0]
    if name != "linux":
        return parts[0].rsplit("-", 1)[0]
    if parts[1] == "drivers" and parts[2] in ("net", "char", "md", "scsi") and len(parts) > 4:
        return "/".join(parts[1:4])
    return "/".join(parts[1:3]) if len(parts) > 3 else parts[1]


def arguments(text, start):
    """The text between the bracket that opens at `start - 1` and the one that closes it."""
    depth, at, end = 1, start, min(len(text), start + 1500)
    while at < end:
        sign = text[at]
        if sign == '"':
            found = STRING.match(text, at)
            if not found:
                return None
            at = found.end()
            continue
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return text[start:at]
        at += 1
    return None


def message(text):
    """The first run of string literals in `text`, its conversions filled in."""
    words, last = [], None
    for found in STRING.finditer(text):
        # Between two literals of one message stand blanks, or a macro such as PRIx64.
        if last is not None and not re.fullmatch(r"[\s\\]*(?:PRI\w+|KBUILD_MODNAME)?[\s\\]*", text[last:found.start()]):
            if "".join(words) in ("%s", ""):
                words = []
            else:
                break
        words.append(found.group(1))
        last = found.end()
    line = "".join(words).replace("\\n", " ").replace('\\"', '"').replace("\\t", " ")
    fill = {"s": "abc0", "p": "0xffff", "x": "0x7f", "X": "7F", "c": "x", "m": "Success", "%": "%"}
    return re.sub(r"\s+", " ", CONVERSION.sub(lambda c: fill.get(c.group(1), "7"), line)).strip()


def statements(path):
    """(line number, level, message) of each logging statement of a file."""
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    text = COMMENT.sub(lambda c: "\n" * c.group().count("\n"), text)
    prefix = PREFIX.search(text)
    prefix = message(prefix.group(1).replace("KBUILD_MODNAME", f'"{os.path.basename(path)[:-2]}"')) if prefix else ""
    found = []
    for pattern, level in (
        (BY_NAME, lambda m: m.group(1).lower()),
        (BY_KERN, lambda m: m.group(1).lower()),
        (BY_FIXED, lambda m: FIXED[m.group(1)]),
        (CONDLOG, lambda m: CONDLOG_LEVELS[int(m.group(1))]),
    ):
        for match in pattern.finditer(text):
            said = level(match)
            said = SPELLINGS.get(said, said)
            inside = arguments(text, text.index("(", match.start()) + 1)
            if said not in LEVELS or inside is None:
                continue
            line = message(inside)
            if len(re.sub(r"abc0|[^A-Za-z]", "", line)) < 4:
                continue
            front = FRONT.get(re.match(r"\w+", match.group()).group(), prefix if match.group().startswith("pr_") else "")
            line = f"{front} {line}".strip()
            found.append((text.count("\n", 0, match.start()) + 1, said, line))
    return found


def main():
    sources, classify, out = sys.argv[1:]
    records = []
    for folder, _, files in os.walk(sources):
        for name in sorted(files):
            if name.endswith((".c", ".h")):
                path = os.path.join(folder, name)
                short = os.path.relpath(path, sources)
                if re.search(r"/(tests?|selftests|testing|samples|tools|kunit)/|test[^/]*\.c$", short):
                    continue
                records += [(short, *statement) for statement in statements(path)]
    classified = subprocess.run(
        [classify, "--all"], input="\n".join(r[3] for r in records) + "\n", capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert len(classified) == len(records), "one verdict for each statement"

    count = collections.defaultdict(lambda: [0, 0])
    lists = {"low": [], "high": []}
    for (path, number, level, line), verdict in zip(records, classified):
        severity, family, reason, _ = verdict.split("\t", 3)
        flagged, room = float(severity) >= 0.5, LEVELS[level]
        for heading in (subsystem(path), "all"):
            count[heading, room][0] += flagged
            count[heading, room][1] += 1
        if (room == "low" and flagged) or (room == "high" and not flagged):
            lists[room].append(f"{subsystem(path)}\t{level}\t{severity}\t{family}\t{reason}\t{line}\t{path}:{number}")
    for room, name in (("low", "flagged-low.txt"), ("high", "silent-high.txt")):
        with open(os.path.join(out, name), "w", encoding="utf-8") as file:
            file.write("\n".join(sorted(lists[room])) + "\n")

    rooms = ("high", "err", "warning", "low")
    print(f"{'flagged by the lexicon':32}{'crit and worse':>18}{'err':>18}{'warning':>18}{'notice and less':>18}")
    headings = sorted({heading for heading, _ in count} - {"all"})
    for heading in [h for h in headings if sum(count[h, room][1] for room in rooms) >= 30] + ["all"]:
        cells = "".join(
            f"{flagged:>7}/{total:<5}{100 * flagged / total:4.0f}%" if total else f"{'-':>17}"
            for flagged, total in (count[heading, room] for room in rooms)
        )
        print(f"{heading:32}{cells}")
    print(f"To read: {out}/flagged-low.txt, {out}/silent-high.txt")


if __name__ == "__main__":
    main()
