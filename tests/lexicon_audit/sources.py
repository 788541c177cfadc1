"""Reads source files out of Debian's archives, git directories and plain folders, without unpacking them."""

import os
import re
import subprocess
import tarfile
import tempfile

KINDS = {
    ".c": "c",
    ".h": "c",
    ".cc": "c",
    ".cpp": "c",
    ".cxx": "c",
    ".hpp": "c",
    ".hh": "c",
    ".inc": "c",
    ".py": "python",
    ".in": "python",
    ".go": "go",
    ".rs": "rust",
    ".pm": "perl",
    ".pl": "perl",
    ".ml": "ocaml",
    ".sh": "shell",
    "": "shell",
    ".ocf": "shell",
}
NOT_READ = re.compile(
    r"(^|/)(tests?|selftests?|testing|testsuite|unittests?|unit_tests|samples|examples?|kunit|Documentation|docs?|vendor|third_party|thirdparty|node_modules|fuzz|fuzzing|functional|tempest|staging/src/k8s.io/[^/]*/test|mocks?|fakes?|fake|contrib|bench|benchmarks?|po|subprojects|i18n|locale|roms|capstone|slirp)/"
    r"|(^|/)(test[_-][^/]*|[^/]*[_-]tests?)\.\w+$|_mock\.\w+$|\.pb\.go$|(^|/)debian/"
)
LARGEST = 3_000_000


def kind_of(path):
    name = os.path.basename(path)
    stem, extension = os.path.splitext(name)
    if extension == ".in":
        extension = os.path.splitext(stem)[1]
    return KINDS.get(extension)


def wanted(path):
    return kind_of(path) is not None and not NOT_READ.search(path)


def of_tar(stream, keep, strip=1):
    """(path, text) of the wanted files of a tar archive that is read as a stream."""
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            path = member.name[2:] if member.name.startswith("./") else member.name
            if strip:
                path = path.partition("/")[2]
            if member.isfile() and member.size < LARGEST and path and wanted(path) and keep(path):
                data = archive.extractfile(member).read()
                if is_no_script(path, data):
                    continue
                yield path, data.decode("utf-8", "replace")


def of_commands(commands, keep, strip):
    """The files of the tar archive that a pipeline of `commands` writes."""
    processes = []
    for command in commands:
        source = processes[-1].stdout if processes else None
        processes.append(subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE))
    yield from of_tar(processes[-1].stdout, keep, strip)
    for process in processes:
        process.stdout.close()
        if process.wait() != 0:
            raise RuntimeError(f"{process.args[0]} of {commands[0][-1]} ended with {process.returncode}")


UNPACK = {".xz": "xz", ".gz": "gzip", ".bz2": "bzip2", ".zst": "zstd"}


def of_git(place, keep):
    """The files of the newest commit of a git directory; what its store lacks is left out."""
    git = ["git", "-c", "safe.directory=*", "-C", place]
    names = {}
    for row in (
        subprocess.run([*git, "ls-tree", "-r", "-z", "HEAD"], stdout=subprocess.PIPE, check=True)
        .stdout.decode("utf-8", "replace")
        .split("\0")
    ):
        about, _, path = row.partition("\t")
        if about.startswith("100") and wanted(path) and keep(path):
            names.setdefault(about.split(" ")[2], path)
    with tempfile.TemporaryFile() as asked:
        asked.write("".join(f"{name}\n" for name in names).encode())
        asked.seek(0)
        with subprocess.Popen([*git, "cat-file", "--batch"], stdin=asked, stdout=subprocess.PIPE) as process:
            while head := process.stdout.readline().split():
                if head[-1] == b"missing":
                    continue
                data = process.stdout.read(int(head[2]) + 1)[:-1]
                path = names[head[0].decode()]
                if len(data) < LARGEST and not is_no_script(path, data):
                    yield path, data.decode("utf-8", "replace")


def is_no_script(path, data):
    return kind_of(path) == "shell" and not path.endswith((".sh", ".ocf")) and not data.startswith(b"#!")


def files(place, keep=lambda path: True):
    """(path, text) of each wanted file of `place`: a .deb, a tar archive, a git directory or a folder."""
    if place.endswith(".deb"):
        # Debian packs the kernel's sources as an archive in the package.
        name = re.sub(r"_.*", "", os.path.basename(place))
        inner = ["tar", "-xO", f"./usr/src/{name}.tar.xz"]
        yield from of_commands([["dpkg-deb", "--fsys-tarfile", place], inner, ["xz", "-dc"]], keep, 1)
    elif os.path.isfile(place):
        yield from of_commands([[UNPACK[os.path.splitext(place)[1]], "-dc", place]], keep, 1)
    elif os.path.isfile(os.path.join(place, "HEAD")) or os.path.isdir(os.path.join(place, ".git")):
        yield from of_git(place, keep)
    else:
        archives = sorted(
            name for name in os.listdir(place) if re.search(r"\.tar\.(xz|gz|bz2)$", name) and ".debian.tar" not in name
        )
        if archives:
            for name in archives:
                yield from files(os.path.join(place, name), keep)
            return
        for folder, _, names in os.walk(place):
            for name in sorted(names):
                path = os.path.join(folder, name)
                short = os.path.relpath(path, place)
                if wanted(short) and keep(short) and os.path.getsize(path) < LARGEST and not os.path.islink(path):
                    with open(path, encoding="utf-8", errors="replace") as file:
                        yield short, file.read()
