#!/usr/bin/env python3
"""Feeds the CPU use of eight VMs on one host, a sample every ten seconds, and prints the events as JSON. After 800 seconds all work
on the host takes three times as long; 150 seconds later it is as before.

    python3 fleet.py [LIBRARY]

LIBRARY is the path of libbellwether.so.0; without it, it is searched where the system keeps libraries. The samples of a minute go
in with one call, since a call from Python costs much more than what the library does with a sample.
"""

import ctypes
import random
import sys
from ctypes import POINTER, byref, c_bool, c_char_p, c_double, c_int, c_size_t, c_uint32, c_void_p

VMS, TICKS, FAULT, END = 8, 300, 80, 95
TICKS_PER_CALL = 6


class String(ctypes.Structure):
    """bw_string."""

    _fields_ = [("data", c_void_p), ("size", c_size_t)]

    def __str__(self):
        return ctypes.string_at(self.data, self.size).decode() if self.data else ""


class Span(ctypes.Structure):
    """bw_span."""

    _fields_ = [("start", c_uint32), ("size", c_uint32)]


class HadBatch(ctypes.Structure):
    """bw_had_batch."""

    _fields_ = [
        ("size", c_size_t),
        ("count", c_size_t),
        ("text", String),
        ("hypervisors", POINTER(Span)),
        ("vms", POINTER(Span)),
        ("metrics", POINTER(Span)),
        ("times", POINTER(c_double)),
        ("intervals", POINTER(c_double)),
        ("values", POINTER(c_double)),
        ("outcomes", POINTER(c_int)),
    ]


def load(path):
    """The library, with the types of the functions that are called here: without them, ctypes cuts pointers off."""
    library = ctypes.CDLL(path)
    for name, result, arguments in [
        ("bw_abi_version", c_uint32, []),
        ("bw_error_message", String, [c_void_p]),
        ("bw_error_free", None, [c_void_p]),
        ("bw_options_new", c_void_p, [c_char_p, c_size_t, POINTER(c_void_p)]),
        ("bw_options_free", None, [c_void_p]),
        ("bw_options_set", c_int, [c_void_p, c_char_p, c_size_t, c_char_p, c_size_t, POINTER(c_void_p)]),
        ("bw_detector_new", c_void_p, [c_void_p, POINTER(c_void_p)]),
        ("bw_detector_free", None, [c_void_p]),
        ("bw_detector_next_event", c_void_p, [c_void_p]),
        ("bw_detector_counter", c_bool, [c_void_p, c_size_t, POINTER(String), POINTER(ctypes.c_uint64)]),
        ("bw_had_observe_many", c_int, [c_void_p, POINTER(HadBatch), POINTER(c_size_t), POINTER(c_void_p)]),
        ("bw_event_json", String, [c_void_p]),
        ("bw_event_free", None, [c_void_p]),
    ]:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    needed = 4  # the BW_ABI_VERSION that this program was written for
    version = library.bw_abi_version()
    if version >> 16 != needed >> 16 or version < needed:
        sys.exit(f"{path} has version {version} of the interface, and at least {needed} is needed")
    return library


library = load(sys.argv[1] if len(sys.argv) > 1 else "libbellwether.so.0")
error = c_void_p()


def checked(ok):
    """Ends the program with the message of a call that failed."""
    if not ok:
        message = str(library.bw_error_message(error))
        library.bw_error_free(error)
        sys.exit(message)


def events(detector):
    """The events that wait, as JSON."""
    while event := library.bw_detector_next_event(detector):
        yield str(library.bw_event_json(event))
        library.bw_event_free(event)


options = library.bw_options_new(b"had", 3, byref(error))
checked(options)
name, value = b"false_alarms_per_month", b"0.1"
checked(library.bw_options_set(options, name, len(name), value, len(value), byref(error)) == 0)
had = library.bw_detector_new(options, byref(error))
checked(had)
library.bw_options_free(options)

# All names are in one text. Each of the arrays says of every sample where in it the name is.
text = b"host-1cpu" + b"".join(b"vm-%d" % vm for vm in range(VMS))
host, metric, vms = Span(0, 6), Span(6, 3), [Span(9 + 4 * vm, 4) for vm in range(VMS)]

noise = random.Random(1)
for first in range(0, TICKS, TICKS_PER_CALL):
    samples = [(tick, vm) for tick in range(first, min(first + TICKS_PER_CALL, TICKS)) for vm in range(VMS)]
    count = len(samples)
    level = [60.0 if FAULT <= tick < END else 20.0 for tick, _ in samples]
    outcomes = (c_int * count)()
    batch = HadBatch(
        size=ctypes.sizeof(HadBatch),
        count=count,
        text=String(ctypes.cast(text, c_void_p).value, len(text)),
        hypervisors=(Span * count)(*[host] * count),
        vms=(Span * count)(*[vms[vm] for _, vm in samples]),
        metrics=(Span * count)(*[metric] * count),
        times=(c_double * count)(*[1.7e9 + 10.0 * tick for tick, _ in samples]),
        intervals=(c_double * count)(*[10.0] * count),
        values=(c_double * count)(*[base + noise.random() for base in level]),
        outcomes=outcomes,
    )
    processed = c_size_t()
    checked(library.bw_had_observe_many(had, byref(batch), byref(processed), byref(error)) == 0)
    if processed.value < count or any(outcomes):
        print(f"{processed.value} of {count} samples were observations; outcomes: {list(outcomes)}", file=sys.stderr)
    for event in events(had):
        print(event)

counter, index, number = String(), 0, ctypes.c_uint64()
while library.bw_detector_counter(had, index, byref(counter), byref(number)):
    if number.value:
        print(f"{counter}: {number.value}")
    index += 1
library.bw_detector_free(had)
