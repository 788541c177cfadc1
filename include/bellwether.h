/* bellwether: detects failing hypervisors. SPDX-License-Identifier: Apache-2.0 OR MIT
 *
 * The C interface of libbellwether. Generated from the Rust sources by `make docs`.
 *
 * A program sets options by name (bw_options_new, bw_options_set), makes a detector with them (bw_detector_new), feeds it
 * (bw_had_observe, bw_lad_observe, bw_resource_observe, bw_risk_observe) and fetches events (bw_detector_next_event).
 *
 * Handles are opaque. What bw_..._new and other functions give to be freed belongs to the caller. A handle may be used from any
 * thread, by one at a time, unless its comment allows more. Functions take NULL for a handle, and then fail or do nothing.
 *
 * A call that can fail gives a bw_result, or NULL instead of a new handle. Every such call can fail with BW_INVALID_ARGUMENT and
 * BW_PANIC; comments name the other codes. Its last parameter takes a bw_error with a message, or NULL.
 *
 * Strings in are a pointer and a length, see BW_STR. They are UTF-8 without NUL bytes unless a comment allows more, and are
 * not kept. Strings out are bw_string, in UTF-8, and belong to the handle that they were read from. A path is in the system's
 * encoding.
 *
 * A struct that begins with `size` may grow in later versions. Make it all zero, then set `size` to its sizeof. The library
 * accepts any size from that of the first version on: it fills no more than that, takes fields that are missing as zero, and
 * refuses fields that it does not know unless they are zero.
 *
 * A pointer that is not NULL must point to what its type says, and a length must be right: the library cannot check that.
 */
#ifndef BELLWETHER_H
#define BELLWETHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Pointer and length of a string literal, as two arguments or two initializers: bw_options_new(BW_STR("had"), &error).
#define BW_STR(literal) ("" literal), (sizeof(literal) - 1)

#ifdef __cplusplus
extern "C" {
#endif

/* Strings */

/// A string with its length. Where `data` is NULL, there is none.
typedef struct {
  /// The first byte; NULL where there is no string.
  const char *data;
  /// The length in bytes, without the NUL that some strings are followed by.
  size_t size;
} bw_string;

/// Part of a buffer, as a batch refers to its strings.
typedef struct {
  /// The offset of the first byte.
  uint32_t start;
  /// The length in bytes.
  uint32_t size;
} bw_span;

/* Version */

/// The version of this interface: the number in the soname times 65536, plus a count that is raised with every addition. A
/// program works with every library of the same soname (`bw_abi_version() >> 16`) whose `bw_abi_version()` is at least the
/// `BW_ABI_VERSION` that the program was compiled with.
#define BW_ABI_VERSION 7

/// The version of the interface that the loaded library has, see `BW_ABI_VERSION`. Any thread may call it at any time.
uint32_t bw_abi_version(void);

/// The version of the product, as "major.minor.patch". Static and NUL-terminated. Any thread may call it at any time.
bw_string bw_version(void);

/* Errors */

/// The result of a call. Everything but `BW_OK` is a failure: nothing was done.
typedef enum {
  /// Success.
  BW_OK = 0,
  /// An argument is NULL where it must not be, a string is not UTF-8 or has a NUL byte, a `size` is wrong, an enum has no
  /// such value, or the detector is of another kind.
  BW_INVALID_ARGUMENT = 1,
  /// Unknown option, a value that the option does not take, or options that contradict each other.
  BW_INVALID_OPTION = 2,
  /// No such file, index, key or name.
  BW_NOT_FOUND = 3,
  /// The operating system cannot read or write a file.
  BW_IO = 4,
  /// A snapshot is corrupt, of an unknown version, or made with options that shape the state differently. Its file was
  /// renamed, so that the next save does not overwrite it; the message has the new name.
  BW_SNAPSHOT_UNUSABLE = 5,
  /// An internal error of bellwether. The detector can only be freed; every other call on it fails with the same code.
  BW_PANIC = 6,
} bw_result;

/// Why a call failed. A call with a parameter `bw_error **error` sets `*error`, unless `error` is NULL: to NULL on success, and
/// on failure to a new error, which the caller frees with `bw_error_free`. The former `*error` is neither read nor freed.
/// Several threads may read an error at once.
typedef struct bw_error bw_error;

/// The code of the failure; `BW_OK` if `error` is NULL.
bw_result bw_error_code(const bw_error *error);

/// One line that says what is wrong, where, and what would be right; NUL-terminated. Belongs to `error`; none if that is NULL.
bw_string bw_error_message(const bw_error *error);

/// The name of the option that the failure is about, as it was given for an unknown option. Belongs to `error`; none if the
/// failure is not about one option, or `error` is NULL.
bw_string bw_error_option(const bw_error *error);

/// `bw_error_message` without the name of the option, for a program that writes it in its own way in front; NUL-terminated. The
/// whole message if it does not begin with that name. Belongs to `error`; none if that is NULL.
bw_string bw_error_reason(const bw_error *error);

/// Frees `error`. NULL is fine.
void bw_error_free(bw_error *error);

/* Options */

/// The options of one kind of detector, all at their defaults when new. Any thread may use them, one at a time.
typedef struct bw_options bw_options;

/// One option, as documentation shows it. The strings belong to the options.
typedef struct {
  /// Set by the caller to `sizeof(bw_option_info)`.
  size_t size;
  /// The name, in snake case.
  bw_string name;
  /// The type of its values: "flag", "integer", "number", "choice", "list" or "text".
  bw_string kind;
  /// The default, as a user would write it.
  bw_string default_value;
  /// The allowed values, in words.
  bw_string allowed;
  /// The unit of the value, or an empty string.
  bw_string unit;
  /// One line of help.
  bw_string help;
  /// Other names that are accepted, separated by commas; mostly an empty string.
  bw_string aliases;
} bw_option_info;

/// The options of the detector with that name ("had", "lad", "resource", "risk" or "drain"), all at their defaults; to be freed
/// with `bw_options_free`. NULL on failure: `BW_NOT_FOUND` if there is no such detector.
bw_options *bw_options_new(const char *detector, size_t detector_len, bw_error **error);

/// Frees `options`. NULL is fine. Detectors that were made with them are not affected.
void bw_options_free(bw_options *options);

/// Sets the option `name` to `value`, both as a user would write them. Options that contradict each other are reported by
/// `bw_detector_new` only, so that the order of calls does not matter.
///
/// `BW_INVALID_OPTION` for an unknown name (the message suggests the nearest one) or a value that the option does not take (the
/// message has the allowed ones); the options are then unchanged.
bw_result bw_options_set(bw_options *options,
                         const char *name,
                         size_t name_len,
                         const char *value,
                         size_t value_len,
                         bw_error **error);

/// How many options there are; 0 if `options` is NULL.
size_t bw_options_count(const bw_options *options);

/// Describes the option with that index, in the order of the documentation, in `*info`.
///
/// `BW_NOT_FOUND` if `index` is not below `bw_options_count(options)`.
bw_result bw_options_describe(const bw_options *options, size_t index, bw_option_info *info, bw_error **error);

/* Events */

/// The type of a field's value.
typedef enum {
  /// A string.
  BW_FIELD_TEXT = 0,
  /// A finite number.
  BW_FIELD_NUMBER = 1,
  /// A whole number, not negative.
  BW_FIELD_INTEGER = 2,
  /// True or false.
  BW_FIELD_FLAG = 3,
} bw_field_kind;

/// What a detector reports, once: a condition began, or it ended. Independent of its detector. It never changes; several threads
/// may use it at once, and its strings live as long as it.
///
/// Which fields it has depends on its kind. Always there: "event" (the kind: "hypervisor_anomaly", "log_failure", ...), "schema",
/// "time" (seconds since the epoch, of the data), "state" ("raised" or "cleared"), "severity" ("okay", "warning" or "failure"),
/// "hypervisor" (empty if it is about more than one), "score" (0 to 1), "message" (one line, at most 255 bytes) and "since"
/// (seconds).
typedef struct bw_event bw_event;

/// One field of an event.
typedef struct {
  /// Set by the caller to `sizeof(bw_field)`.
  size_t size;
  /// The key, in snake case.
  bw_string key;
  /// The value as text, whatever its type: as in the JSON, without quotes and escapes.
  bw_string text;
  /// The value as a number; 1 for true, 0 for false and for a text.
  double number;
  /// The value as a whole number; 0 for a `BW_FIELD_NUMBER` and a text.
  uint64_t integer;
  /// The type of the value.
  bw_field_kind kind;
  /// The value of a `BW_FIELD_FLAG`.
  bool flag;
} bw_field;

/// Frees `event`. NULL is fine.
void bw_event_free(bw_event *event);

/// How many fields the event has; 0 if `event` is NULL.
size_t bw_event_field_count(const bw_event *event);

/// Gives the field with that index, in the order of the JSON, in `*field`. `BW_NOT_FOUND` if `index` is not below
/// `bw_event_field_count(event)`.
bw_result bw_event_field(const bw_event *event, size_t index, bw_field *field, bw_error **error);

/// Gives the field with that key in `*field`. `BW_NOT_FOUND` if the event has none.
bw_result bw_event_find(const bw_event *event, const char *key, size_t key_len, bw_field *field, bw_error **error);

/// The event as one line of JSON, NUL-terminated, without a newline; none if `event` is NULL.
bw_string bw_event_json(const bw_event *event);

/* Saved state */

/// The learned state of a detector at one moment, which outlives the detector. It never changes; several threads may use it at
/// once.
typedef struct bw_snapshot bw_snapshot;

/// Frees `snapshot`. NULL is fine.
void bw_snapshot_free(bw_snapshot *snapshot);

/// The length of `snapshot` in bytes; 0 if it is NULL.
size_t bw_snapshot_size(const bw_snapshot *snapshot);

/// Copies the bytes of `snapshot` from `offset` on into the `size` bytes at `buffer`, and gives the number of bytes copied: fewer
/// than `size` at the end, and 0 behind it. 0 also if `snapshot` or `buffer` is NULL.
size_t bw_snapshot_copy(const bw_snapshot *snapshot, size_t offset, uint8_t *buffer, size_t size);

/// Writes `snapshot` to the file `path` and waits for the disk, so that a crash at any moment leaves either the old file or the
/// new one, complete. `BW_IO` if the file cannot be written; an old one is then intact.
bw_result bw_snapshot_write(const bw_snapshot *snapshot, const char *path, size_t path_len, bw_error **error);

/// Checks, before anything is learned, that state can be saved to the file `path` and loaded from it: creates its folder (mode
/// 0750) if only that is missing, and does not change the file. Any thread may call it at any time.
///
/// On success, sets `*in_place` (which may be NULL) to whether the system allows no replacing of the file, which is then written
/// in place: it is a mount of its own, as in a container, or its folder is not writable. The operator should know: a crash during
/// such a write loses the state unless the folder has room for a copy. `BW_IO` if the state cannot be kept there.
bw_result bw_state_prepare(const char *path, size_t path_len, bool *in_place, bw_error **error);

/* Detectors of all kinds */

/// A detector of some kind. It starts no thread and reads no clock: data and time come in, events come out. Any thread may use
/// it, one at a time; detectors are independent of each other. Strings that it gives live until the next call that changes it.
typedef struct bw_detector bw_detector;

/// A detector with no state; to be freed with `bw_detector_free`. `options` are copied and still belong to the caller. A file
/// that an option names is read now.
///
/// NULL on failure: `BW_INVALID_OPTION` if options contradict each other or a file that one of them names cannot be used.
bw_detector *bw_detector_new(const bw_options *options, bw_error **error);

/// Frees `detector` with the strings that it gave. NULL is fine. Its events and snapshots live on.
void bw_detector_free(bw_detector *detector);

/// Declares that no data with a time before `time` (seconds since the epoch) will come: finishes intervals that end by then,
/// reports silence, and forgets what has been silent for too long. A time that is not finite or thousands of years off changes
/// nothing.
bw_result bw_detector_advance(bw_detector *detector, double time, bw_error **error);

/// The oldest event not yet fetched, to be freed with `bw_event_free`; NULL if there is none. A detector keeps some thousands;
/// beyond that the oldest are dropped and counted.
bw_event *bw_detector_next_event(bw_detector *detector);

/// Gives the name of the counter with that index, which is static, and its value; false if there are not that many. `name` and
/// `value` may be NULL. The name says what is counted ("taken", "events_lost", ...); a later version may add counters.
bool bw_detector_counter(const bw_detector *detector, size_t index, bw_string *name, uint64_t *value);

/// Saves the learned state to the file `path`, so that a crash at any moment leaves either the old file or the new one, complete.
/// As `bw_detector_save_bytes` and `bw_snapshot_write` do it, but without a copy of the state in memory.
///
/// `BW_IO` if the file cannot be written; an old one is then intact.
bw_result bw_detector_save(const bw_detector *detector, const char *path, size_t path_len, bw_error **error);

/// Copies the learned state into a snapshot, to be freed with `bw_snapshot_free`: only the copying needs the detector, and
/// another thread can write the snapshot to a disk meanwhile. NULL on failure, which is as for `bw_detector_save`.
bw_snapshot *bw_detector_save_bytes(const bw_detector *detector, bw_error **error);

/// Replaces the learned state by that of the file `path`: the detector continues as if it had never stopped.
///
/// `BW_NOT_FOUND` if there is no such file, as at a first start; `BW_IO` if it cannot be read; `BW_SNAPSHOT_UNUSABLE` as
/// described there. The detector is then unchanged and can be used.
bw_result bw_detector_load(bw_detector *detector, const char *path, size_t path_len, bw_error **error);

/// `bw_detector_load` from the `size` bytes of a snapshot at `bytes`. `BW_SNAPSHOT_UNUSABLE` if they cannot be used; the detector
/// is then unchanged.
bw_result bw_detector_load_bytes(bw_detector *detector, const uint8_t *bytes, size_t size, bw_error **error);

/* Detector "had": anomalies of hypervisors, from the metrics of their VMs */

/// What became of an observation. None of these is an error; keep feeding samples.
typedef enum {
  /// It counts.
  BW_HAD_OUTCOME_TAKEN = 0,
  /// It replaced an earlier sample of the same VM and interval, or repeats it.
  BW_HAD_OUTCOME_DUPLICATE = 1,
  /// Its interval has been evaluated already.
  BW_HAD_OUTCOME_LATE = 2,
  /// Its metric is not in the option "metrics".
  BW_HAD_OUTCOME_IGNORED = 3,
  /// Its VM is masked, see `bw_had_mask`, or its hypervisor, see `bw_had_mask_hypervisor`.
  BW_HAD_OUTCOME_MASKED = 4,
  /// A name is empty or too long, or the time, the interval or the value is out of range.
  BW_HAD_OUTCOME_REFUSED = 5,
  /// A limit is reached ("max_hypervisors", "max_vms", or the number of different intervals on a hypervisor), and everything
  /// that is tracked still reports.
  BW_HAD_OUTCOME_FULL = 6,
  /// Its time or interval differs from that of the other VMs. It is held, and counts if they come to agree with it soon.
  BW_HAD_OUTCOME_SET_ASIDE = 7,
  /// In a batch only: it is no observation, as a name is not within the batch's text, not UTF-8, or has a NUL byte.
  BW_HAD_OUTCOME_INVALID = 8,
} bw_had_outcome;

/// What a notice is about.
typedef enum {
  /// Most VMs of a hypervisor moved to another interval, which is learned again.
  BW_HAD_NOTICE_INTERVAL_CHANGED = 0,
  /// Every VM of a hypervisor has a different interval, so that they cannot be compared.
  BW_HAD_NOTICE_UNJUDGED = 1,
  /// The VMs of a hypervisor have more intervals than are tracked.
  BW_HAD_NOTICE_INTERVALS = 2,
  /// The clock of one VM differs from those of the others.
  BW_HAD_NOTICE_VM_CLOCK = 3,
  /// The clock of most VMs of a hypervisor jumped.
  BW_HAD_NOTICE_CLOCK_STEP = 4,
} bw_had_notice;

/// One sample of one metric of one VM.
typedef struct {
  /// Set by the caller to `sizeof(bw_had_observation)`.
  size_t size;
  /// The name of the hypervisor.
  bw_string hypervisor;
  /// The name of the VM, unique on its hypervisor.
  bw_string vm;
  /// The name of the metric; see the option "metrics".
  bw_string metric;
  /// The time of the sample, in seconds since the epoch.
  double time;
  /// Seconds between two samples of this VM; 0 means the option "interval".
  double interval;
  /// The value, not negative; for "cpu" in percent of one core. NaN marks a sample that is known to be missing.
  double value;
} bw_had_observation;

/// A window of time in which a hypervisor is masked, see `bw_had_mask_hypervisor`. Its string lives until the next call that
/// changes the detector.
typedef struct {
  /// Set by the caller to `sizeof(bw_had_window)`.
  size_t size;
  /// The name of the hypervisor, or a pattern.
  bw_string hypervisor;
  /// Its start, in seconds since the epoch.
  double from;
  /// Its end, in seconds since the epoch.
  double until;
} bw_had_window;

/// Many samples, in flat arrays of `count` elements: for callers to whom a call is expensive. The names are parts of one text and
/// may share it.
typedef struct {
  /// Set by the caller to `sizeof(bw_had_batch)`.
  size_t size;
  /// How many samples there are.
  size_t count;
  /// The text that has all names.
  bw_string text;
  /// Where the names of the hypervisors are in `text`.
  const bw_span *hypervisors;
  /// Where the names of the VMs are.
  const bw_span *vms;
  /// Where the names of the metrics are.
  const bw_span *metrics;
  /// The times, in seconds since the epoch.
  const double *times;
  /// Seconds between two samples of the VM; NULL means the option "interval" for all.
  const double *intervals;
  /// The values.
  const double *values;
  /// Filled with what became of each sample; may be NULL.
  bw_had_outcome *outcomes;
} bw_had_batch;

/// The status of one metric of one hypervisor. If its VMs have several intervals, that of the VMs with an open incident, or else
/// of the interval that most VMs have. Its strings live until the next `bw_had_status_count`.
typedef struct {
  /// Set by the caller to `sizeof(bw_had_status)`.
  size_t size;
  /// The name of the hypervisor.
  bw_string hypervisor;
  /// The name of the metric.
  bw_string metric;
  /// The time of the last interval evaluated, in seconds since the epoch.
  double time;
  /// Seconds between two intervals.
  double interval;
  /// The anomaly score, 0 to 1; an alarm is 0.5 or more.
  double score;
  /// The share of the voters that changed the same way, 0 to 1.
  double consensus;
  /// How many VMs voted.
  uint32_t voters;
  /// How many VMs are tracked, whatever their interval.
  uint32_t vms;
  /// Whether an incident is open.
  bool raised;
  /// Whether the last interval evaluated was in maintenance, see `bw_had_mask_hypervisor`.
  bool masked;
  /// When the open incident of the hypervisor was raised, the oldest that this metric is part of, in seconds since the epoch;
  /// NaN if none is. Since version 7 of the interface, as the next.
  double since;
  /// Whether that was before a day of its VMs was known (option "provisional_sec").
  bool provisional;
} bw_had_status;

/// Takes one sample and gives in `*outcome`, which may be NULL, what became of it. Events that it causes wait for
/// `bw_detector_next_event`.
bw_result bw_had_observe(bw_detector *had, const bw_had_observation *observation, bw_had_outcome *outcome, bw_error **error);

/// `bw_detector_advance` for one hypervisor, by its own clock: use it where hypervisors lag behind each other. No effect on an
/// unknown hypervisor.
bw_result bw_had_advance_hypervisor(bw_detector *had, const char *hypervisor, size_t hypervisor_len, double time, bw_error **error);

/// Masks a VM that is paused, shut off or migrating, or unmasks it. A masked VM abstains: its samples do not count, and its
/// standing still means nothing. No effect on an unknown hypervisor.
bw_result bw_had_mask(bw_detector *had,
                      const char *hypervisor,
                      size_t hypervisor_len,
                      const char *vm,
                      size_t vm_len,
                      bool masked,
                      bw_error **error);

/// The next line for the operator's log about why a VM or a hypervisor is not evaluated, with its subject in `*kind`, which may
/// be NULL. None if there is none; `*kind` is then unchanged. At most one of each kind waits, the first one.
bw_string bw_had_next_notice(bw_detector *had, bw_had_notice *kind);

/// Masks a hypervisor that is in maintenance from the time `from` on and before `until`, seconds since the epoch, by the times of
/// the samples. Nothing is learned about its VMs, and nothing is raised; what is open when the window begins is cleared for the
/// reason "maintenance". After it, and some minutes in which guests may start, the detector continues from its learned
/// state.
///
/// In the name, which need not be known yet, each `*` stands for any text. Windows of one name that overlap are merged. They are
/// part of the saved state. `BW_INVALID_ARGUMENT` if the window has no duration, or if there are 4096 of which none is over.
bw_result bw_had_mask_hypervisor(bw_detector *had,
                                 const char *hypervisor,
                                 size_t hypervisor_len,
                                 double from,
                                 double until,
                                 bw_error **error);

/// Removes all windows of exactly this name or pattern. No effect if there are none.
bw_result bw_had_unmask_hypervisor(bw_detector *had, const char *hypervisor, size_t hypervisor_len, bw_error **error);

/// How many windows there are; 0 if `had` is NULL.
size_t bw_had_window_count(const bw_detector *had);

/// Gives one window in `*window`, in the order of their names and starts. `BW_NOT_FOUND` if `index` is not below their number.
bw_result bw_had_window_at(const bw_detector *had, size_t index, bw_had_window *window, bw_error **error);

/// Takes many samples in their order, each as `bw_had_observe` does. One that is no observation (`BW_HAD_OUTCOME_INVALID`) does
/// not keep the others from being taken. `*processed`, which may be NULL, is how many were observations; it is set on failure
/// too. Fetch the events after each batch.
///
/// `BW_INVALID_ARGUMENT` if an array that must not be is NULL or one is not aligned; nothing is then taken.
bw_result bw_had_observe_many(bw_detector *had, const bw_had_batch *batch, size_t *processed, bw_error **error);

/// Takes the status of every metric of every hypervisor, for `bw_had_status_at`, and gives their number; 0 if `had` is NULL.
size_t bw_had_status_count(bw_detector *had);

/// Gives one status of those that the last `bw_had_status_count` took in `*status`, in the order in which hypervisors were first
/// seen. `BW_NOT_FOUND` if `index` is not below their number.
bw_result bw_had_status_at(const bw_detector *had, size_t index, bw_had_status *status, bw_error **error);

/* Detector "lad": failures of hosts, from their logs */

/// What became of a record. None of these is an error; keep feeding records.
typedef enum {
  /// It counts.
  BW_LAD_OUTCOME_TAKEN = 0,
  /// The stream's name is empty or too long, or the time is out of range. It was classified by its text only.
  BW_LAD_OUTCOME_REFUSED = 1,
  /// Of earlier versions: the option "max_streams" left no room for its stream. Now a stream makes room.
  BW_LAD_OUTCOME_FULL = 2,
  /// In a batch only: it is no record, as a string is not within the batch's text, or the stream's name is not UTF-8 or has a
  /// NUL byte.
  BW_LAD_OUTCOME_INVALID = 3,
} bw_lad_outcome;

/// A verdict on the records of a template. The first three are an operator's, whose word counts; the last two are those of a
/// language model, or of whoever else is not to be relied on, and never replace an operator's.
typedef enum {
  /// None: an earlier verdict is withdrawn.
  BW_LAD_VERDICT_NONE = 0,
  /// They report no failure, whatever their text is.
  BW_LAD_VERDICT_BENIGN = 1,
  /// They report a failure.
  BW_LAD_VERDICT_FAILURE = 2,
  /// They probably report no failure. It does not count against a text of severity 0.7 or more.
  BW_LAD_VERDICT_LIKELY_BENIGN = 3,
  /// They probably report a failure. It raises a warning at most.
  BW_LAD_VERDICT_LIKELY_FAILURE = 4,
} bw_lad_verdict;

/// How a record reached the log, as the caller vouches for it: a program chooses its own name, but not this. Never taken from the
/// text of a record, or from what its sender chose.
typedef enum {
  /// The caller does not know. The name of the program is all there is.
  BW_LAD_TRANSPORT_UNKNOWN = 0,
  /// The kernel's ring buffer, read as such.
  BW_LAD_TRANSPORT_KERNEL = 1,
  /// A process of the host: the syslog socket, the journal's socket, standard output. It is not the kernel, whatever its name.
  BW_LAD_TRANSPORT_PROCESS = 2,
  /// The output of a container, whose name was chosen by who started it.
  BW_LAD_TRANSPORT_CONTAINER = 3,
} bw_lad_transport;

/// How a record of a batch was classified: the sum of those that are true, see `bw_lad_observed`.
typedef enum {
  /// It reports a failure.
  BW_LAD_FLAG_FAILURE = 1,
  /// It starts or extends an episode of failure.
  BW_LAD_FLAG_ALARM = 2,
  /// It completes an unknown window.
  BW_LAD_FLAG_NOVEL = 4,
  /// It is one of the first of its stream.
  BW_LAD_FLAG_TRAINING = 8,
  /// It is the first of a template that is new to the fleet.
  BW_LAD_FLAG_UNSEEN = 16,
  /// The option "sequence_model" did not predict it. Since version 7 of the interface.
  BW_LAD_FLAG_UNPREDICTED = 32,
} bw_lad_flag;

/// A template that the lexicon leaves open, for an operator or a language model to classify. Independent of its detector; its
/// strings live as long as it.
typedef struct bw_question bw_question;

/// One record of a log.
typedef struct {
  /// Set by the caller to `sizeof(bw_lad_record)`.
  size_t size;
  /// The stream that it belongs to: the name of the host whose log it is.
  bw_string stream;
  /// The message, without time, host and program. Any bytes: those that are not UTF-8, and NUL bytes, are replaced.
  bw_string text;
  /// The time of the record, in seconds since the epoch.
  double time;
  /// The program that wrote it, if known. Any bytes, as the two below; an event shows these three.
  bw_string program;
  /// The unit of that program, if known: of systemd, or a pod or container.
  bw_string unit;
  /// What the agent calls the input that it comes from, if known.
  bw_string tag;
  /// Its syslog severity, 0 (emergency) to 7 (debug), if `has_priority` is true.
  uint32_t priority;
  /// Whether the record has a priority.
  bool has_priority;
  /// How it reached the log. Since version 5 of the interface; unknown to an earlier program.
  bw_lad_transport transport;
} bw_lad_record;

/// How a record was classified.
typedef struct {
  /// Set by the caller to `sizeof(bw_lad_observed)`.
  size_t size;
  /// The number of its template, stable within its stream; 0 if it belongs to no stream.
  uint64_t template_id;
  /// Its template; none if it belongs to no stream. Belongs to the detector.
  bw_string template_text;
  /// The family of failures that it reports: "memory", "storage", "stall", "cpu_pressure", "hardware", "kernel", "trace",
  /// "process", "vmm", "service" or "network"; none if it reports no failure. Static.
  bw_string family;
  /// The severity of what it reports, 0 to 1.
  double severity;
  /// The anomaly score by the option "mode", 0 to 1.
  double score;
  /// What became of it.
  bw_lad_outcome outcome;
  /// It reports a failure: its severity reaches the option "severity_threshold".
  bool failure;
  /// It starts or extends an episode of failure.
  bool alarm;
  /// It completes a window of templates that was unknown.
  bool novel;
  /// It is one of the first of its stream, from which the detector learns what is normal.
  bool training;
  /// It is the first of a template that is new to its stream and to the fleet; with the option "seeds". Since version 6 of the
  /// interface.
  bool unseen;
  /// The option "sequence_model" did not predict it: its template is unknown to the fleet, or not among the likeliest. False
  /// without that option. Since version 7 of the interface, as below.
  bool unpredicted;
  /// The rank of its template among those that are predicted, 1 for the likeliest; 0 if its template is unknown to the fleet, if
  /// there are not enough records before it, or without that option.
  uint32_t rank;
} bw_lad_observed;

/// Many records, in flat arrays of `count` elements: for callers to whom a call is expensive. The strings are parts of one text
/// and may share it. Arrays that are optional may be NULL.
typedef struct {
  /// Set by the caller to `sizeof(bw_lad_batch)`.
  size_t size;
  /// How many records there are.
  size_t count;
  /// The text that has all strings.
  bw_string text;
  /// Where the names of the streams are in `text`.
  const bw_span *streams;
  /// Where the messages are.
  const bw_span *texts;
  /// The times, in seconds since the epoch.
  const double *times;
  /// The syslog severities, 0 to 7; any other number for a record that has none. Optional.
  const uint8_t *priorities;
  /// Where the names of the programs are. Optional, as all below.
  const bw_span *programs;
  /// Where the names of the units are.
  const bw_span *units;
  /// Where the tags are.
  const bw_span *tags;
  /// Filled with what became of each record.
  bw_lad_outcome *outcomes;
  /// Filled with the number of each template, as `bw_lad_template` takes it; 0 if it belongs to no stream.
  uint64_t *template_ids;
  /// Filled with the severities.
  double *severities;
  /// Filled with the scores.
  double *scores;
  /// Filled with sums of `bw_lad_flag`.
  uint8_t *flags;
  /// How the records reached the log, each one of `bw_lad_transport`. Optional: all unknown. Since version 5 of the interface.
  const uint8_t *transports;
} bw_lad_batch;

/// What the log of a host says about it at one time. Its string lives until the next `bw_lad_status_count`.
typedef struct {
  /// Set by the caller to `sizeof(bw_lad_status)`.
  size_t size;
  /// The stream: the name of the host.
  bw_string stream;
  /// The newest time of its records, in seconds since the epoch.
  double last;
  /// In how many of the last 20 minutes it had records that report a failure.
  uint32_t failure_minutes;
  /// How many of its templates of the last 20 minutes are new to the fleet, those of one minute counted up to two, if `has_seeds`
  /// is true.
  uint32_t unseen;
  /// Its open episodes of failure.
  uint32_t open_episodes;
  /// Whether the detector knows the fleet's templates; with the option "seeds".
  bool has_seeds;
} bw_lad_status;

/// What a question is about.
typedef struct {
  /// Set by the caller to `sizeof(bw_question_info)`.
  size_t size;
  /// Identifies it in `bw_lad_answer`.
  uint64_t id;
  /// The stream that it is from.
  bw_string stream;
  /// The number of the template within that stream.
  uint64_t template_id;
  /// The template, at most 300 bytes: parameters are placeholders such as `<:NUM:>`.
  bw_string template_text;
  /// The program that wrote its last record; empty if unknown.
  bw_string program;
  /// Number of records of the template so far.
  uint64_t count;
  /// Number of templates of the stream that are normal, to compare with; at most eight. `bw_question_benign` gives them.
  size_t benign_count;
} bw_question_info;

/// A verdict on a template by its text.
typedef struct {
  /// Set by the caller to `sizeof(bw_lad_text_feedback)`.
  size_t size;
  /// The stream; none for all streams.
  bw_string stream;
  /// The template, as in an event or a question; `<:*:>` in it stands for any word.
  bw_string template_text;
  /// The family of a `BW_LAD_VERDICT_LIKELY_FAILURE`, if known.
  bw_string family;
  /// The verdict.
  bw_lad_verdict verdict;
} bw_lad_text_feedback;

/// Takes one record and gives in `*observed`, which may be NULL, how it was classified. Events that it causes wait for
/// `bw_detector_next_event`.
bw_result bw_lad_observe(bw_detector *lad, const bw_lad_record *record, bw_lad_observed *observed, bw_error **error);

/// Applies a verdict on a template of `stream`, from now on and to what it changes: an episode of which nothing is
/// left is cleared, one that should be there is raised, and what was learned from a failure is forgotten. `BW_NOT_FOUND` if there
/// is no such stream or template (any more).
bw_result bw_lad_feedback(bw_detector *lad,
                          const char *stream,
                          size_t stream_len,
                          uint64_t template_id,
                          bw_lad_verdict verdict,
                          bw_error **error);

/// The template of `stream` with that number. Belongs to the detector. None if there is no such stream or template (any more), or
/// `lad` is not a detector "lad".
bw_string bw_lad_template(const bw_detector *lad, const char *stream, size_t stream_len, uint64_t template_id);

/// Takes many records in their order, each as `bw_lad_observe` does. One that is no record (`BW_LAD_OUTCOME_INVALID`) does not
/// keep the others from being taken. `*processed`, which may be NULL, is how many were records; it is set on failure too. Fetch
/// the events after each batch.
///
/// `BW_INVALID_ARGUMENT` if an array that must not be is NULL, one is not aligned, or an element of `transports` is no
/// `bw_lad_transport`; nothing is then taken.
bw_result bw_lad_observe_many(bw_detector *lad, const bw_lad_batch *batch, size_t *processed, bw_error **error);

/// Takes what every log says about its host at `time`, seconds since the epoch, for `bw_lad_status_at`, and gives their number;
/// 0 if `lad` is NULL.
size_t bw_lad_status_count(bw_detector *lad, double time);

/// Gives one status of those that the last `bw_lad_status_count` took in `*status`, in no particular order. `BW_NOT_FOUND` if
/// `index` is not below their number.
bw_result bw_lad_status_at(const bw_detector *lad, size_t index, bw_lad_status *status, bw_error **error);

/// Gives the oldest question that was not fetched yet, or NULL if there is none. There are questions only with the option
/// "questions" above 0: one for each template that completes an unknown window after training and reports nothing that the lexicon
/// knows. To be freed by `bw_question_free`.
bw_question *bw_lad_next_question(bw_detector *lad);

/// Frees `question`. NULL is fine.
void bw_question_free(bw_question *question);

/// Gives what the question is about in `*info`.
bw_result bw_question_describe(const bw_question *question, bw_question_info *info, bw_error **error);

/// A normal template of the question's stream; none if `index` is not below `benign_count`.
bw_string bw_question_benign(const bw_question *question, size_t index);

/// Answers a question, which takes effect as `bw_lad_feedback` does. `BW_LAD_VERDICT_NONE` leaves it open whether the template
/// reports a failure, for good. A language model answers `BW_LAD_VERDICT_LIKELY_FAILURE`, with a family if it gives one, or
/// `BW_LAD_VERDICT_LIKELY_BENIGN`: it can be wrong, or be misled by who wrote the record. `BW_NOT_FOUND` if there is no such
/// question (any more).
bw_result bw_lad_answer(bw_detector *lad,
                        uint64_t question_id,
                        bw_lad_verdict answer,
                        const char *family_name,
                        size_t family_len,
                        bw_error **error);

/// Applies a verdict on a template by its text, and gives in `*applied`, which may be NULL, to how many templates. With a stream,
/// as `bw_lad_feedback` does. Without, it holds for all streams, also for templates and streams that are still to come; at most
/// 1024 such verdicts are kept, the newest.
bw_result bw_lad_feedback_by_text(bw_detector *lad, const bw_lad_text_feedback *feedback, size_t *applied, bw_error **error);

/* Detector "resource": how unusual the resources of hosts are */

/// What became of a row. None of these is an error; keep feeding rows.
typedef enum {
  /// It counts.
  BW_RESOURCE_OUTCOME_TAKEN = 0,
  /// Its host has a row of the same time, or of less than half an interval before it.
  BW_RESOURCE_OUTCOME_DUPLICATE = 1,
  /// It is earlier than the last row of its host. The fifth consecutive one is taken: the clock was set back.
  BW_RESOURCE_OUTCOME_LATE = 2,
  /// Its interval differs from that of its host, which is learned again from the fifth consecutive one on.
  BW_RESOURCE_OUTCOME_SET_ASIDE = 3,
  /// The name is empty or too long, the time or the interval is out of range, or there are more values than signals.
  BW_RESOURCE_OUTCOME_REFUSED = 4,
  /// A limit is reached ("max_hypervisors" or "max_memory_mib"), and every tracked host still reports.
  BW_RESOURCE_OUTCOME_FULL = 5,
} bw_resource_outcome;

/// One row: the signals of one host at one time.
typedef struct {
  /// Set by the caller to `sizeof(bw_resource_observation)`.
  size_t size;
  /// The name of the host, `hypervisor_len` bytes.
  const char *hypervisor;
  /// The length of the name.
  size_t hypervisor_len;
  /// The time of the row, in seconds since the epoch.
  double time;
  /// Seconds between two rows of this host; 0 means the option "interval".
  double interval;
  /// One value per signal, in the order of `bw_resource_signal_name`. NaN is unknown, and so are those that are missing at the
  /// end.
  const double *values;
  /// The number of values, at most that of the signals.
  size_t values_len;
} bw_resource_observation;

/// The deviation of one signal.
typedef struct {
  /// The index of the signal, see `bw_resource_signal_name`.
  size_t signal;
  /// Signed distance from the usual course in robust standard deviations.
  double deviation;
  /// The value, in the signal's unit.
  double value;
  /// The usual value, in the signal's unit.
  double usual;
} bw_resource_deviation;

/// How unusual a row is.
typedef struct {
  /// Set by the caller to `sizeof(bw_resource_observed)`.
  size_t size;
  /// What became of the row.
  bw_resource_outcome outcome;
  /// Whether an anomaly of the host is open.
  bool raised;
  /// The share of the host's rows of the last weeks, without the last hours, that were at least as unusual, above 0 to 1;
  /// NaN if all of the row is unknown or the host is too little known.
  double p_value;
  /// The same only by how far signals are from their usual course.
  double p_change;
  /// The same only by how unlike all signals together are to any constellation of the past.
  double p_pattern;
  /// Closeness to an anomaly, 0 to 1; 0.5 or more is one.
  double score;
  /// How many of `deciding` are set.
  size_t deciding_count;
  /// The signals that deviate most, the strongest first.
  bw_resource_deviation deciding[4];
  /// The mean square of the scaled errors with which the model of the option "resource_model" returns the window that ends with
  /// the row; NaN without a model, until a window without missing rows is complete, and if less than half of it is known.
  double reconstruction_error;
  /// The signal with the largest part in that, see `bw_resource_signal_name`.
  size_t reconstruction_signal;
  /// Whether that is above the model's threshold. By itself this raises nothing.
  bool unreconstructed;
} bw_resource_observed;

/// The status of one host after its last row. Its string lives until the next `bw_resource_status_count`.
typedef struct {
  /// Set by the caller to `sizeof(bw_resource_status)`.
  size_t size;
  /// The name of the host.
  bw_string hypervisor;
  /// The time of the last row, in seconds since the epoch.
  double time;
  /// Seconds between two rows.
  double interval;
  /// The p-values as in `bw_resource_observed`.
  double p_value;
  /// See there.
  double p_change;
  /// See there.
  double p_pattern;
  /// Closeness to an anomaly, 0 to 1; 0.5 or more is one.
  double score;
  /// Whether an anomaly is open.
  bool raised;
  /// Whether the host is known for less than the option "provisional_sec".
  bool provisional;
  /// How many of `deciding` are set.
  size_t deciding_count;
  /// The signals that deviate most, the strongest first.
  bw_resource_deviation deciding[4];
  /// The model's error as in `bw_resource_observed`.
  double reconstruction_error;
  /// See there.
  size_t reconstruction_signal;
  /// See there.
  bool unreconstructed;
} bw_resource_status;

/// The name of the signal with that index, such as "cpu_busy", and in `*unit`, which may be NULL, its unit ("share", "ms",
/// "count", ...). Both are static. None if there are not that many signals; a later version may add some at the end. Any thread
/// may call it at any time.
bw_string bw_resource_signal_name(size_t index, bw_string *unit);

/// Takes one row and gives in `*observed`, which may be NULL, how unusual it is. Events that it causes wait for
/// `bw_detector_next_event`.
bw_result bw_resource_observe(bw_detector *resource,
                              const bw_resource_observation *observation,
                              bw_resource_observed *observed,
                              bw_error **error);

/// Takes the status of every host, for `bw_resource_status_at`, and gives their number; 0 if `resource` is NULL.
size_t bw_resource_status_count(bw_detector *resource);

/// Gives one status of those that the last `bw_resource_status_count` took in `*status`. `BW_NOT_FOUND` if `index` is not below
/// their number.
bw_result bw_resource_status_at(const bw_detector *resource, size_t index, bw_resource_status *status, bw_error **error);

/* Detector "risk": the probability that a host fails, from all evidence about it */

/// What became of an observation. None of these is an error; keep feeding.
typedef enum {
  /// It counts.
  BW_RISK_OBSERVE_TAKEN = 0,
  /// The source has reported a later measure already.
  BW_RISK_OBSERVE_LATE = 1,
  /// The name is empty or too long, or the time is out of range.
  BW_RISK_OBSERVE_REFUSED = 2,
  /// A limit is reached ("max_hypervisors", "max_memory_mib"), and every tracked hypervisor has a source that reports.
  BW_RISK_OBSERVE_FULL = 3,
} bw_risk_observe_outcome;

/// A source of evidence about a host, with what its measure is. The measure is NaN where it is unknown.
typedef enum {
  /// The host's log: in how many of its last 20 minutes it had records that report a failure.
  BW_RISK_SOURCE_LOG = 0,
  /// The metrics of its guests: the seconds since the oldest open `hypervisor_anomaly` was raised; negative if none is open.
  BW_RISK_SOURCE_HAD = 1,
  /// The host's own resources: the conformal p-value of the last row, 0 to 1.
  BW_RISK_SOURCE_RESOURCE = 2,
  /// How many templates of its log within the last 20 minutes are new to the fleet.
  BW_RISK_SOURCE_NOVELTY = 3,
} bw_risk_source;

/// What became of a host.
typedef enum {
  /// It failed: at least one of its guests died.
  BW_RISK_FATE_FAILED = 0,
  /// Nobody knows whether it would have failed: its guests were moved away, or it is in maintenance. What was observed in the
  /// half hour before teaches nothing.
  BW_RISK_FATE_UNKNOWN = 1,
} bw_risk_fate;

/// What one source says about one host. To be repeated, at least once in a third of the option "stale_sec": a source that does
/// not report becomes unknown.
typedef struct {
  /// Set by the caller to `sizeof(bw_risk_observation)`.
  size_t size;
  /// The name of the hypervisor.
  bw_string hypervisor;
  /// When the measure was true, in seconds since the epoch.
  double time;
  /// The measure, see `bw_risk_source`.
  double measure;
  /// The source.
  bw_risk_source source;
  /// For `BW_RISK_SOURCE_HAD`: the incident was raised before a day of the hypervisor was known.
  bool provisional;
} bw_risk_observation;

/// The risk of a host after an observation.
typedef struct {
  /// Set by the caller to `sizeof(bw_risk_observed)`.
  size_t size;
  /// The probability that guests of the host fail within 10 minutes, 0 to 0.9; an evidence score until the detector is calibrated.
  double risk_10min;
  /// The same within 30 minutes.
  double risk_30min;
  /// What became of the observation.
  bw_risk_observe_outcome outcome;
  /// Whether `failure_risk` is raised.
  bool raised;
} bw_risk_observed;

/// The risk of one host. Its string lives until the next `bw_risk_status_count`.
typedef struct {
  /// Set by the caller to `sizeof(bw_risk_status)`.
  size_t size;
  /// The name of the hypervisor.
  bw_string hypervisor;
  /// The newest time of its reports, or of the clock, in seconds since the epoch.
  double time;
  /// The probability that its guests fail within 10 minutes, 0 to 0.9.
  double risk_10min;
  /// The same within 30 minutes.
  double risk_30min;
  /// What each source contributes for 10 minutes, by `bw_risk_source`: its log-likelihood ratio in nats; 0 if it is unknown.
  double evidence[4];
  /// The state of each source, from 0, the quiet one, upward; negative if it is unknown.
  int32_t state[4];
  /// Whether `failure_risk` is raised.
  bool raised;
  /// Whether the values are probabilities of this site; if not, they are evidence scores.
  bool calibrated;
} bw_risk_status;

/// Takes what one source says about one host and gives in `*observed`, which may be NULL, the host's risk. Events that it causes
/// wait for `bw_detector_next_event`. Call `bw_detector_advance` as time passes: only then does a silent source become unknown.
bw_result bw_risk_observe(bw_detector *risk, const bw_risk_observation *observation, bw_risk_observed *observed, bw_error **error);

/// Reports what became of a host at `time`, seconds since the epoch, at most half an hour ago. With the option "calibrate", values
/// become probabilities of this site once enough failures were reported; without it, this has no effect. `BW_NOT_FOUND` if the
/// host is not tracked, or if that failure has been reported.
bw_result bw_risk_outcome(bw_detector *risk,
                          const char *hypervisor,
                          size_t hypervisor_len,
                          double time,
                          bw_risk_fate fate,
                          bw_error **error);

/// Takes the risk of every host, for `bw_risk_status_at`, and gives their number; 0 if `risk` is NULL.
size_t bw_risk_status_count(bw_detector *risk);

/// Gives one status of those that the last `bw_risk_status_count` took in `*status`, in no particular order. `BW_NOT_FOUND` if
/// `index` is not below their number.
bw_result bw_risk_status_at(const bw_detector *risk, size_t index, bw_risk_status *status, bw_error **error);

/* Detector "drain": templates of log lines and nothing else; "lad" has its own */

/// What a line changed in the templates.
typedef enum {
  /// Nothing: a template fits it.
  BW_DRAIN_CHANGE_NONE = 0,
  /// It is the first of a new template.
  BW_DRAIN_CHANGE_NEW = 1,
  /// A template was generalized to fit it.
  BW_DRAIN_CHANGE_TEMPLATE = 2,
} bw_drain_change;

/// Which template a line was added to.
typedef struct {
  /// Set by the caller to `sizeof(bw_drain_added)`.
  size_t size;
  /// The number of the template: from 1 on in the order of creation, never reused.
  uint64_t template_id;
  /// What the line changed.
  bw_drain_change change;
} bw_drain_added;

/// Adds a line and gives in `*added`, which may be NULL, its template. The line may have any bytes: those that are not UTF-8, and
/// NUL bytes, are replaced.
bw_result bw_drain_add(bw_detector *drain, const char *line, size_t line_len, bw_drain_added *added, bw_error **error);

/// The template with that number. Belongs to the detector. None if there is no such template (any more), or `drain` is not a
/// detector "drain".
bw_string bw_drain_template(const bw_detector *drain, uint64_t template_id);

/// Extracts the values of `line` at the placeholders of the template with that number, for `bw_drain_parameter`, and gives their
/// number; 0 if the template does not fit the line.
size_t bw_drain_parameter_count(bw_detector *drain, uint64_t template_id, const char *line, size_t line_len);

/// The value with that index of those that the last `bw_drain_parameter_count` extracted, until the next one. None if `index` is
/// not below their number.
bw_string bw_drain_parameter(const bw_detector *drain, size_t index);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // BELLWETHER_H
