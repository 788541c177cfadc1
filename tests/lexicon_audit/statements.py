"""Extracts every logging statement of a project and writes the table of them."""

import collections
import hashlib
import multiprocessing
import re

from . import c, languages, projects, sources

Statement = collections.namedtuple("Statement", "project subsystem level program message place raw")


def read(job):
    """The statements of one file."""
    project, path, text, strings = job
    kind = sources.kind_of(path)
    if kind == "c":
        found = c.statements(f"{project}/{path}", text, strings)
        if project == "ceph":
            found += c.streams(path, text)
    else:
        found = getattr(languages, kind)(text)
    heading, program = projects.subsystem(project, path), projects.program(project, path)
    return [
        Statement(project, heading, level, program, message, f"{path}:{number}", raw)
        for number, level, message, raw in found
        if len(message) < 600
    ]


def jobs(project, places):
    kinds = projects.KINDS.get(project, projects.ALL)
    keep = projects.kept(project)
    texts = ((path, text) for place in places for path, text in sources.files(place, keep) if sources.kind_of(path) in kinds)
    strings = None
    if project == "glusterfs":
        # The text of a message stands in a header, under the name of its id.
        texts = list(texts)
        strings = {}
        for _, text in texts:
            for name, value in re.findall(r'#define\s+(\w+_STR)\s+\\?\s*((?:"(?:[^"\\]|\\.)*"\s*\\?\s*)+)', text):
                strings[name] = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', value))
    for path, text in texts:
        yield project, path, text, strings


def of(project, places, workers=2):
    """The statements of `project`, each once, in the order of the files."""
    seen = {}
    with multiprocessing.Pool(workers) as pool:
        for found in pool.imap(read, jobs(project, places), chunksize=24):
            for statement in found:
                seen.setdefault((statement.program, statement.level, statement.message), statement)
    return list(seen.values())


def key(statement):
    """What a label is joined by: the same for a statement in every version, and nothing of its text."""
    return hashlib.sha256("\0".join((statement.project, statement.subsystem, statement.raw)).encode()).hexdigest()[:16]
