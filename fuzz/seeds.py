#!/usr/bin/env python3
"""Writes inputs to start from into corpus/TARGET/, the same every time.

Most targets make values of theirs of any bytes, so that random ones of many lengths are a start; without them libFuzzer
takes minutes to get beyond inputs of a few bytes.
"""

import pathlib
import random
import struct

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
STRUCTURED = ["c_abi", "drain", "had", "lad", "lexicon", "model", "resource", "risk", "snapshot"]
LENGTHS = [16, 64, 128, 256, 512, 1024, 2048, 4096]


def write(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(content)


def encoded(value):
    """MessagePack of what a record holds."""
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if value is None:
        return b"\xc0"
    if isinstance(value, int):
        return struct.pack("b", value) if -32 <= value < 128 else b"\xd3" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, bytes):
        return b"\xc4" + bytes([len(value)]) + value
    if isinstance(value, str):
        text = value.encode()
        return b"\xd9" + bytes([len(text)]) + text
    if isinstance(value, list):
        return bytes([0x90 | len(value)]) + b"".join(map(encoded, value))
    return bytes([0x80 | len(value)]) + b"".join(encoded(k) + encoded(v) for k, v in value.items())


def chunks():
    """Records as the versions of Fluent Bit write them, with every width of a map's head."""
    time = b"\xd7\x00" + struct.pack(">II", 1_700_000_000, 5)
    marker = b"\xd7\x00" + struct.pack(">II", 0xFFFFFFFF, 0)
    end = b"\xd7\x00" + struct.pack(">II", 0xFFFFFFFE, 0)
    wide_time = b"\xc7\x08\x00" + struct.pack(">II", 1_700_000_000, 5)
    body = {"log": "link 7 is down", "priority": "3", "nested": {"items": [1, {"name": "x"}]}, "float": 1.5}
    short = encoded(body)
    pairs = short[1:]
    for name, head in [("fix", short[:1]), ("16", b"\xde\x00\x04"), ("32", b"\xdf\x00\x00\x00\x04")]:
        yield f"flat-{name}", b"\x92" + time + head + pairs
        yield f"meta-{name}", b"\x92\x92" + time + encoded({"a": -5}) + head + pairs
    yield "array16", b"\xdc\x00\x02" + wide_time + short
    yield "array32", b"\xdd\x00\x00\x00\x02" + encoded(1_700_000_000) + short
    yield "float", b"\x92" + encoded(1.7e9) + short
    yield "group", b"\x92\x92" + marker + encoded({}) + short + b"\x92" + time + encoded({"log": b"\xff\xfe", "n": None})
    resource = {"resource": {"attributes": {"host.name": "hv1", "service.name": "nova"}}, "scope": {"name": "s"}}
    metadata = {"otlp": {"severity_number": 17, "severity_text": "ERROR"}}
    record = b"\x92\x92" + time + encoded(metadata) + encoded({"log": "a"})
    yield "otlp", b"\x92\x92" + marker + encoded({}) + encoded(resource) + record + b"\x92\x92" + end + encoded({}) + encoded({}) + record
    yield "kmsg", b"\x92" + time + encoded({"priority": 3, "sequence": 9, "usec": 5, "msg": "md0: disk failure\n SUBSYSTEM=block"})
    yield "many", (b"\x92" + time + encoded({"log": "a", "ok": True})) * 5


# A text in each of the forms that the filter takes apart, and some of those within others.
TEXTS = {
    "rfc5424": '<11>1 2024-02-05T12:39:46.25Z hv1 qemu 17 ID [a@1 b="]\\""] \ufeffdisk failure',
    "rfc3164": "<11>Oct  3 22:14:15 hv1 sshd[17]: link is down",
    "file": "2024-02-05T12:39:46.250000+01:00 hv1 kernel: [ 1.5] md0: disk failure",
    "pri": "<3>disk failure",
    "container": "2024-02-05T12:39:46.250000001Z stderr F " + '{"log":"a\\n","level":"error","n":{"o":["}",1]}}',
    "docker": r'{"log":"{\"msg\":\"a\\u00e9\\ud83d\\ude00\",\"level\":50,\"x\":-1.5e3}\n","stream":"stderr","time":"now"}',
}


def main():
    for target in STRUCTURED:
        draw = random.Random(target)
        for length in LENGTHS:
            for copy in range(4):
                write(target, f"{length}-{copy}", draw.randbytes(length))
    accessors = b"log $log $nested['items'][1]['name'] $n[0] $RESOURCE['host.name'] $METADATA['otlp']['severity_number']\nlog\n"
    for name, chunk in chunks():
        write("record_codec", name, accessors + chunk)
    for name, text in TEXTS.items():
        write("record_codec", name, text.encode())
    write("record_codec", "event", b'{"event":"log_failure","schema":1,"time":1.5,"n":-7,"x":1e300,"l":[null,true,{"a":"b"}]}')


main()
