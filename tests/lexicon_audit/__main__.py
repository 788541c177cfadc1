"""Holds the lexicon against the logging statements of other projects.

    python3 -m lexicon_audit CLASSIFY OUT JUDGED PROJECT=PLACE[,PLACE...]...

CLASSIFY is the program of core/examples/classify.rs. A PLACE is a tar archive, a Debian package of the kernel's sources, a git
directory, or a folder of archives or of source files. The report goes to standard output; OUT receives the statements of each
project (PROJECT.tsv, extracted again only when an extractor or a place is newer) and the lists to read.
"""

import collections
import os
import re
import subprocess
import sys

from . import statements

GROUPS = ("crit and worse", "err", "warning", "notice and less")
GROUP_OF = {
    "emerg": GROUPS[0], "alert": GROUPS[0], "crit": GROUPS[0],
    "err": GROUPS[1], "warning": GROUPS[2],
    "notice": GROUPS[3], "info": GROUPS[3], "debug": GROUPS[3],
}  # fmt: skip
FLAGGED = 0.5
SMALLEST = 30


def newest(place):
    """When `place` or something in it was last changed."""
    if not os.path.isdir(place):
        return os.path.getmtime(place)
    return max([os.path.getmtime(place), *(os.path.getmtime(os.path.join(place, name)) for name in os.listdir(place))])


def version(place):
    found = re.search(r"linux-source-([\d.]+)_", place)
    return found.group(1) if found else "-"


def table(project, places, out):
    """The statements of a project, extracted or from the last time."""
    file = os.path.join(out, f"{project}.tsv")
    here = os.path.dirname(os.path.abspath(__file__))
    if not os.path.exists(file) or os.path.getmtime(file) < max(newest(here), *map(newest, places)):
        found, versions = {}, collections.defaultdict(list)
        for place in places:
            for statement in statements.of(project, [place]):
                same = (statement.program, statement.level, statement.message)
                # The place of the newest version, which comes last.
                found[same] = statement
                if version(place) not in versions[same]:
                    versions[same].append(version(place))
        print(f"    {project}: {len(found)} statements", file=sys.stderr)
        with open(f"{file}.new", "w", encoding="utf-8", errors="replace") as rows:
            for same, statement in found.items():
                row = (statements.key(statement), *statement[:6], ",".join(versions[same]))
                rows.write("\t".join(field.replace("\t", " ") for field in row) + "\n")
        os.replace(f"{file}.new", file)
    with open(file, encoding="utf-8", errors="replace", newline="\n") as rows:
        return [row.rstrip("\n").split("\t") for row in rows]


def classified(classify, rows):
    """(severity, family, reason) of each row."""
    text = "".join(f"{program}\t{level}\t{message}\n" for _, _, _, level, program, message, _, _ in rows)
    command = [classify, "--all", "--sources"]
    done = subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True).stdout.decode("utf-8", "replace")
    verdicts = [line.split("\t", 3)[:3] for line in done.split("\n")[:-1]]
    assert len(verdicts) == len(rows), "one verdict for each statement"
    return [(float(severity), family, reason) for severity, family, reason in verdicts]


def share(part, whole):
    return f"{part:>7}/{whole:<6}{100 * part / whole:4.0f}%" if whole else f"{'-':>18}"


def by_heading(title, count):
    print(f"{title:32}" + "".join(f"{group:>20}" for group in GROUPS))
    for heading in sorted({heading for heading, _ in count}, key=lambda name: (name == "all", name)):
        if sum(count[heading, group][1] for group in GROUPS) >= SMALLEST:
            print(f"{heading:32}" + "".join(f"{share(*count[heading, group]):>20}" for group in GROUPS))
    print()


def labelled(file):
    """key, project, level, draw and label of each judged statement."""
    with open(file, encoding="ascii") as labels:
        return [line.rstrip("\n").split("\t") for line in labels if not line.startswith("#")]


def is_held(key):
    """Whether a judged statement is held out."""
    return int(key[-1], 16) % 2 == 1


def judged(labels, rows, verdicts, out):
    """Holds the verdicts against the labels of the judged sample; the lists name statements of the half `dev` only."""
    at = {}
    for row, verdict in zip(rows, verdicts):
        at.setdefault(row[0], (row, verdict))
    count, gone = collections.defaultdict(lambda: [0, 0]), 0
    lists = {"F": [], "N": []}
    for key, project, level, draw, label in labels:
        if key not in at:
            gone += 1
            continue
        row, (severity, family, reason) = at[key]
        flagged = severity >= FLAGGED
        half = "held" if is_held(key) else "dev"
        kind = "kernel" if project == "linux" else "others"
        for heading in (f"{half}, {draw}", f"{half}, {kind}", half):
            for group in (GROUP_OF[level], "all levels"):
                count[label, heading, group][0] += flagged
                count[label, heading, group][1] += 1
        if half == "dev" and label in lists and flagged == (label == "N"):
            lists[label].append("\t".join((project, *row[2:4], f"{severity:.2f}", family, reason, *row[4:7])))
    groups = ("all levels", *GROUPS)
    for label, title in (
        ("F", "flagged of what is worth a page"),
        ("N", "flagged of what is not"),
        ("U", "flagged of what cannot be said"),
    ):
        print(f"{title:32}" + "".join(f"{group:>20}" for group in groups))
        for half in ("dev", "held"):
            for heading in (half, f"{half}, any", f"{half}, likely", f"{half}, kernel", f"{half}, others"):
                print(f"  {heading:30}" + "".join(f"{share(*count[label, heading, group]):>20}" for group in groups))
        print()
    if gone:
        print(f"{gone} of the judged statements are in none of these sources.\n")
    for label, name in (("F", "judged-missed.txt"), ("N", "judged-false.txt")):
        write(out, name, lists[label])


def write(out, name, lines):
    with open(os.path.join(out, name), "w", encoding="utf-8", errors="replace") as file:
        file.write("".join(f"{line}\n" for line in sorted(lines)))


def main():
    classify, out, sample, *named = sys.argv[1:]
    labels = labelled(sample)
    held = {key for key, *_ in labels if is_held(key)}
    rows = []
    for name in named:
        project, _, places = name.partition("=")
        rows += table(project, places.split(","), out)
    verdicts = classified(classify, rows)

    by_project, by_subsystem = (collections.defaultdict(lambda: [0, 0]) for _ in range(2))
    lists = {group: [] for group in GROUPS}
    for row, (severity, family, reason) in zip(rows, verdicts):
        key, project, heading, level, program, message, place, versions = row
        flagged, group = severity >= FLAGGED, GROUP_OF[level]
        counted = [(by_project, project), (by_project, "all")]
        if project == "linux":
            counted += [(by_subsystem, heading)]
        for count, name in counted:
            count[name, group][0] += flagged
            count[name, group][1] += 1
        if flagged != (group in GROUPS[:2]) and key not in held:
            lists[group].append(
                f"{project}\t{heading}\t{level}\t{severity:.2f}\t{family}\t{reason}\t{program}\t{message}\t{place}"
            )
    write(out, "flagged-low.txt", lists[GROUPS[3]])
    write(out, "flagged-warning.txt", lists[GROUPS[2]])
    write(out, "silent-err.txt", lists[GROUPS[1]])
    write(out, "silent-high.txt", lists[GROUPS[0]])

    by_heading("Linux, flagged by the lexicon", by_subsystem)
    by_heading("Projects, flagged by the lexicon", by_project)
    judged(labels, rows, verdicts, out)
    print(
        f"To read, in {out}: judged-missed.txt, judged-false.txt, flagged-low.txt, flagged-warning.txt, silent-high.txt, silent-err.txt"
    )


if __name__ == "__main__":
    main()
