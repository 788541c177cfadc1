/* bellwether: tells a failing hypervisor from a busy guest. SPDX-License-Identifier: Apache-2.0 OR MIT
 *
 * The C interface of libbellwether. Generated from the Rust sources by `make docs`.
 *
 * Handles are opaque, made by a function `bw_..._new` and freed by `bw_..._free`. Each may be used from any thread, by one
 * thread at a time, unless its comment says that several may use it at once. A call that can fail gives a `bw_result` (or
 * NULL instead of a new handle) and, where asked, a `bw_error` with a message.
 *
 * Strings in are a pointer and a length in bytes, UTF-8 without NUL bytes; they need no NUL at the end and are never kept
 * past the call. Strings out are UTF-8 with a NUL at the end; they belong to the handle that they were read from and live
 * as long as it, unless the function's comment says otherwise.
 *
 * A struct that begins with a field `size` may grow: the caller sets `size` to the struct's sizeof before it hands it over,
 * and makes the rest zero. A pointer that is not NULL points to what its type says; the library cannot check that.
 */

#ifndef BELLWETHER_H
#define BELLWETHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * The version of this interface that the header describes. It is raised when something is added; what is removed or
 * changes its meaning raises the number in the soname instead. A program works with every library of the same soname
 * whose `bw_abi_version()` is at least the `BW_ABI_VERSION` that it was compiled with.
 */
#define BW_ABI_VERSION 3

/**
 * What came of a call. Everything but `BW_OK` is a failure: nothing was done, and the message is in the `bw_error` that
 * the call gave, if it was asked for one.
 */
typedef enum {
  /**
   * It was done.
   */
  BW_OK = 0,
  /**
   * An argument is NULL where it must not be, a string is not UTF-8 or holds a NUL byte, or a `size` field is wrong.
   */
  BW_INVALID_ARGUMENT = 1,
  /**
   * There is no option of that name, it does not take that value, or two options contradict each other.
   */
  BW_INVALID_OPTION = 2,
  /**
   * There is no such file, index or key.
   */
  BW_NOT_FOUND = 3,
  /**
   * The operating system could not read or write a file.
   */
  BW_IO = 4,
  /**
   * A snapshot is damaged, of another version, or made with options that shape the state otherwise. Its file was renamed,
   * so that the next save does not overwrite it; the message says to what.
   */
  BW_SNAPSHOT_UNUSABLE = 5,
  /**
   * A defect of bellwether itself. The handle that the call was about can only be freed; every other call on it fails in
   * the same way.
   */
  BW_PANIC = 6,
} bw_result;

/**
 * What became of an observation. None of these is an error: a stream that holds such samples is to be read on.
 */
typedef enum {
  /**
   * It counts.
   */
  BW_OUTCOME_TAKEN = 0,
  /**
   * It replaced an earlier one of the same VM and interval, or came again.
   */
  BW_OUTCOME_DUPLICATE = 1,
  /**
   * Its interval has been judged already.
   */
  BW_OUTCOME_LATE = 2,
  /**
   * Its metric is not watched.
   */
  BW_OUTCOME_IGNORED = 3,
  /**
   * Its VM is masked, see `bw_had_mask`.
   */
  BW_OUTCOME_MASKED = 4,
  /**
   * A name is empty or too long, or the time, the interval or the value is not a number that can be.
   */
  BW_OUTCOME_REFUSED = 5,
  /**
   * One of the options "max_hypervisors" and "max_vms" leaves no room for it, as all that there is state of still reports, or
   * its hypervisor has VMs of as many intervals as are kept.
   */
  BW_OUTCOME_FULL = 6,
  /**
   * Its time or its interval is not that of the other VMs. It is held, and counts if they come to agree with it soon.
   */
  BW_OUTCOME_SET_ASIDE = 7,
} bw_outcome;

/**
 * What a notice is about.
 */
typedef enum {
  /**
   * Most VMs of a hypervisor moved to another interval; it is learned anew.
   */
  BW_NOTICE_INTERVAL_CHANGED = 0,
  /**
   * Each of the VMs of a hypervisor has an interval of its own, so that none can be judged.
   */
  BW_NOTICE_UNJUDGED = 1,
  /**
   * The VMs of a hypervisor have more intervals than are kept.
   */
  BW_NOTICE_INTERVALS = 2,
  /**
   * The clock of one VM differs from those of the others.
   */
  BW_NOTICE_VM_CLOCK = 3,
  /**
   * The clock of most VMs of a hypervisor leapt.
   */
  BW_NOTICE_CLOCK_STEP = 4,
} bw_notice;

/**
 * What became of a record. None of these is an error: a stream that holds such records is to be read on.
 */
typedef enum {
  /**
   * It counts.
   */
  BW_RECORD_TAKEN = 0,
  /**
   * The stream's name is empty or too long, or the time is not a number that can be. It was judged by what it says alone.
   */
  BW_RECORD_REFUSED = 1,
  /**
   * The option "max_streams" leaves no room for its stream. It was judged by what it says alone.
   */
  BW_RECORD_FULL = 2,
} bw_record_outcome;

/**
 * What a line did to the templates.
 */
typedef enum {
  /**
   * It was one more of a template that fits it.
   */
  BW_CHANGE_NONE = 0,
  /**
   * It is the first of a new template.
   */
  BW_CHANGE_NEW = 1,
  /**
   * It was one more of a template that has fewer words of its own since.
   */
  BW_CHANGE_TEMPLATE = 2,
} bw_change;

/**
 * What an operator says that the records of a template are.
 */
typedef enum {
  /**
   * Nothing: an earlier word is taken back.
   */
  BW_VERDICT_NONE = 0,
  /**
   * They tell of no failure, whatever they say.
   */
  BW_VERDICT_BENIGN = 1,
  /**
   * They tell of a failure.
   */
  BW_VERDICT_FAILURE = 2,
} bw_verdict;

/**
 * Finds the template of one log line after the other. What a detector of failing hosts (`bw_lad`) does with its records
 * anyway; this is for who wants nothing but that. Made by `bw_drain_new`, freed by `bw_drain_free`. May be used from any thread,
 * by one thread at a time.
 */
typedef struct bw_drain bw_drain;

/**
 * The options of a parser of log lines, all at their defaults when new. Made by `bw_drain_options_new`, freed by
 * `bw_drain_options_free`. May be used from any thread, by one thread at a time.
 */
typedef struct bw_drain_options bw_drain_options;

/**
 * Why a call failed. Made by every call that has a parameter `bw_error **error`: that may be NULL; otherwise the call sets
 * `*error` in any case, to NULL where it succeeds and to a new `bw_error` where it fails, which the caller owns and frees with
 * `bw_error_free`. What `*error` was before is neither read nor freed. May be used from several threads at once.
 */
typedef struct bw_error bw_error;

/**
 * Something that a detector says, once: that a condition began, or that it ended. Given by `bw_had_next_event` and
 * `bw_lad_next_event`, owned by the caller, freed by `bw_event_free`; it outlives the detector. It never changes and may be
 * used from several threads at once.
 *
 * Its keys are those of its JSON; which ones there are depends on what it tells of, but these are always there: "event"
 * ("hypervisor_anomaly", "hypervisor_silence", "collector_silence", "workload_change", "log_failure", "log_novelty"), "schema",
 * "time" (seconds since the epoch of the data), "state" ("raised", "cleared"), "severity" ("okay", "warning", "failure"),
 * "hypervisor" (empty in a "collector_silence"), "score" (0 to 1), "message" (one line, at most 255 bytes) and "since" (seconds).
 */
typedef struct bw_event bw_event;

/**
 * A detector of hypervisor anomalies. It takes one sample of one VM at a time and gives events. It holds any number of
 * hypervisors and metrics, knows no clock and starts no thread: time comes in with the samples. Made by `bw_had_new`, freed by
 * `bw_had_free`. May be used from any thread, by one thread at a time; detectors are independent of each other.
 */
typedef struct bw_had bw_had;

/**
 * The options of a detector of hypervisor anomalies, all at their defaults when new. Made by `bw_had_options_new`, freed by `bw_had_options_free`.
 * May be used from any thread, by one thread at a time.
 */
typedef struct bw_had_options bw_had_options;

/**
 * A detector of failing hosts by their logs. It takes one record at a time, says what that is, and gives events. It holds any
 * number of streams, each the merged log of one host; it knows no clock and starts no thread: time comes in with the records.
 * Made by `bw_lad_new`, freed by `bw_lad_free`. May be used from any thread, by one thread at a time; detectors are independent
 * of each other.
 */
typedef struct bw_lad bw_lad;

/**
 * The options of a detector of failing hosts by their logs; those of its parser are among them, with names that begin with "drain_", all at their defaults when new. Made by `bw_lad_options_new`, freed by
 * `bw_lad_options_free`. May be used from any thread, by one thread at a time.
 */
typedef struct bw_lad_options bw_lad_options;

/**
 * All that a detector has learnt at one moment, in the form of a file that `bw_..._load` reads. Given by `bw_had_snapshot` and
 * `bw_lad_snapshot`, owned by the caller, freed by `bw_snapshot_free`; it outlives the detector, so that one thread can go on
 * with the detector while another one writes. It never changes and may be used from several threads at once.
 */
typedef struct bw_snapshot bw_snapshot;

/**
 * One option as documentation shows it. All strings are static, in UTF-8 and NUL-terminated: never freed, valid for ever.
 */
typedef struct {
  /**
   * Set by the caller to `sizeof(bw_option_info)`.
   */
  size_t size;
  /**
   * The name, in snake case.
   */
  const char *name;
  /**
   * What kind of value it takes: "flag", "integer", "number", "choice", "list" or "text".
   */
  const char *kind;
  /**
   * The default, as a user would write it.
   */
  const char *default_value;
  /**
   * The allowed values, in words.
   */
  const char *allowed;
  /**
   * The unit of the value; an empty string where it has none.
   */
  const char *unit;
  /**
   * One line of help.
   */
  const char *help;
} bw_option_info;

/**
 * One sample of one metric of one VM. The strings are in UTF-8, not NUL-terminated, without NUL bytes, and not kept.
 */
typedef struct {
  /**
   * Set by the caller to `sizeof(bw_observation)`.
   */
  size_t size;
  /**
   * The hypervisor's name.
   */
  const char *hypervisor;
  /**
   * The bytes of `hypervisor`; a name without any is `BW_OUTCOME_REFUSED`.
   */
  size_t hypervisor_len;
  /**
   * The VM's name, unique on its hypervisor.
   */
  const char *vm;
  /**
   * The bytes of `vm`; a name without any is `BW_OUTCOME_REFUSED`.
   */
  size_t vm_len;
  /**
   * The metric's name; one that is not in the option "metrics" is `BW_OUTCOME_IGNORED`.
   */
  const char *metric;
  /**
   * The bytes of `metric`.
   */
  size_t metric_len;
  /**
   * When, in seconds since the epoch.
   */
  double time;
  /**
   * Seconds between two samples of this VM; 0 means the option "interval".
   */
  double interval;
  /**
   * The value, not negative; for "cpu" in percent of one core. NaN is a sample that is known to be missing.
   */
  double value;
} bw_observation;

/**
 * How many observations came to what since the detector was made, and what there is now.
 */
typedef struct {
  /**
   * Set by the caller to `sizeof(bw_counters)`.
   */
  size_t size;
  /**
   * Observations that were `BW_OUTCOME_TAKEN`.
   */
  uint64_t taken;
  /**
   * Observations that were `BW_OUTCOME_DUPLICATE`.
   */
  uint64_t duplicate;
  /**
   * Observations that were `BW_OUTCOME_LATE`.
   */
  uint64_t late;
  /**
   * Observations that were `BW_OUTCOME_IGNORED`.
   */
  uint64_t ignored;
  /**
   * Observations that were `BW_OUTCOME_MASKED`.
   */
  uint64_t masked;
  /**
   * Observations that were `BW_OUTCOME_REFUSED`.
   */
  uint64_t refused;
  /**
   * Observations that were `BW_OUTCOME_FULL`.
   */
  uint64_t full;
  /**
   * Events that were lost because nobody fetched them in time.
   */
  uint64_t events_lost;
  /**
   * Hypervisors that there is state of.
   */
  uint64_t hypervisors;
  /**
   * VMs that there is state of, over all hypervisors and metrics.
   */
  uint64_t vms;
  /**
   * Hypervisors that no longer reported and made room for new ones, because of the option "max_hypervisors".
   */
  uint64_t hypervisors_evicted;
  /**
   * VMs that no longer reported and made room for new ones, because of the option "max_vms"; over all hypervisors and
   * metrics.
   */
  uint64_t vms_evicted;
  /**
   * Observations that were `BW_OUTCOME_SET_ASIDE`.
   */
  uint64_t set_aside;
  /**
   * How often most VMs of a hypervisor moved to another interval, so that it is learned anew, over all metrics.
   */
  uint64_t intervals_changed;
  /**
   * How often most VMs of a hypervisor agreed on a time that is earlier, or much later, over all metrics.
   */
  uint64_t clock_steps;
  /**
   * Metrics of hypervisors that cannot be judged because each of the VMs has an interval of its own.
   */
  uint64_t unjudged;
} bw_counters;

/**
 * Where one metric of one hypervisor stands. Where its VMs have several intervals, that is where those stand that have an open
 * incident, or else those of the interval that most have. The strings are in UTF-8 and NUL-terminated; they belong to the detector and
 * live until the next `bw_had_status_count` or `bw_had_free`.
 */
typedef struct {
  /**
   * Set by the caller to `sizeof(bw_status)`.
   */
  size_t size;
  /**
   * The hypervisor's name.
   */
  const char *hypervisor;
  /**
   * The bytes of `hypervisor` without the NUL.
   */
  size_t hypervisor_len;
  /**
   * The metric's name.
   */
  const char *metric;
  /**
   * The bytes of `metric` without the NUL.
   */
  size_t metric_len;
  /**
   * Time of the last interval judged, in seconds since the epoch.
   */
  double time;
  /**
   * How near to an alarm, 0 to 1; an alarm is 0.5 or more.
   */
  double score;
  /**
   * Share of the VMs that had a say and changed the same way, 0 to 1.
   */
  double consensus;
  /**
   * How many VMs had a say.
   */
  uint32_t voters;
  /**
   * How many VMs are known, whatever their interval.
   */
  uint32_t vms;
  /**
   * Whether an incident is open.
   */
  bool raised;
  /**
   * Seconds between two intervals judged.
   */
  double interval;
} bw_status;

/**
 * One record of a log. No string needs a NUL behind it, and none is kept.
 */
typedef struct {
  /**
   * Set by the caller to `sizeof(bw_record)`.
   */
  size_t size;
  /**
   * The stream that it belongs to, the name of the host whose log it is: in UTF-8 without NUL bytes.
   */
  const char *stream;
  /**
   * The bytes of `stream`; a name without any is `BW_RECORD_REFUSED`.
   */
  size_t stream_len;
  /**
   * What it says, without time, host and source. Any bytes: those that are no UTF-8, and NUL bytes, are replaced.
   */
  const char *text;
  /**
   * The bytes of `text`.
   */
  size_t text_len;
  /**
   * When, in seconds since the epoch.
   */
  double time;
  /**
   * Not 0 where the record says how weighty it is.
   */
  uint32_t has_priority;
  /**
   * How weighty it says it is, as syslog and journald number it: 0 (emergency) to 7 (debug); more is taken for 7.
   */
  uint32_t priority;
  /**
   * The program that says it, as syslog's tag or the journal's identifier name it; events show it. Any bytes; NULL where it is
   * unknown. This field and all behind it came with version 3 of the interface.
   */
  const char *program;
  /**
   * The bytes of `program`.
   */
  size_t program_len;
  /**
   * The unit that the program belongs to: of systemd, or the pod or container. As `program`.
   */
  const char *unit;
  /**
   * The bytes of `unit`.
   */
  size_t unit_len;
  /**
   * What the agent calls the input that it comes from. As `program`.
   */
  const char *tag;
  /**
   * The bytes of `tag`.
   */
  size_t tag_len;
} bw_record;

/**
 * What a record was found to be.
 */
typedef struct {
  /**
   * Set by the caller to `sizeof(bw_observed)`.
   */
  size_t size;
  /**
   * The number of its template, stable within its stream; 0 where it is of no stream.
   */
  uint64_t template_id;
  /**
   * Its template, in UTF-8 and NUL-terminated; NULL where it is of no stream. Belongs to the detector and lives until the
   * next call on it.
   */
  const char *template_text;
  /**
   * The bytes of `template_text` without the NUL.
   */
  size_t template_len;
  /**
   * The family of what it says: "memory", "storage", "stall", "cpu_pressure", "hardware", "kernel", "trace", "process",
   * "vmm", "service" or "network"; static and NUL-terminated. NULL where it says nothing of the kind.
   */
  const char *family;
  /**
   * How severe what it says is, 0 to 1.
   */
  double severity;
  /**
   * The score that the option "mode" gives it, 0 to 1.
   */
  double score;
  /**
   * What became of it.
   */
  bw_record_outcome outcome;
  /**
   * It tells of a failure: its severity reaches the option "severity_threshold".
   */
  bool failure;
  /**
   * It begins or extends an episode of failure.
   */
  bool alarm;
  /**
   * It completes a window of templates that was unknown.
   */
  bool novel;
  /**
   * It is one of the first of its stream, from which the detector learns what is normal.
   */
  bool training;
} bw_observed;

/**
 * How many records came to what since the detector was made, and what there is now.
 */
typedef struct {
  /**
   * Set by the caller to `sizeof(bw_log_counters)`.
   */
  size_t size;
  /**
   * Records that were `BW_RECORD_TAKEN`.
   */
  uint64_t taken;
  /**
   * Records that were `BW_RECORD_REFUSED`.
   */
  uint64_t refused;
  /**
   * Records that were `BW_RECORD_FULL`.
   */
  uint64_t full;
  /**
   * Records that told of a failure.
   */
  uint64_t failures;
  /**
   * Records that completed an unknown window of templates.
   */
  uint64_t novel;
  /**
   * Episodes of failure that were raised.
   */
  uint64_t episodes;
  /**
   * Events that were lost because nobody fetched them in time.
   */
  uint64_t events_lost;
  /**
   * Streams that made room for others, or were silent for too long.
   */
  uint64_t streams_forgotten;
  /**
   * Streams that there is state of.
   */
  uint64_t streams;
  /**
   * Templates that are known, over all streams.
   */
  uint64_t templates;
  /**
   * Templates that made room for others, over the streams that there are.
   */
  uint64_t templates_evicted;
  /**
   * Windows of templates that are known, over all streams.
   */
  uint64_t windows;
  /**
   * About how many bytes of memory the streams take.
   */
  uint64_t bytes;
  /**
   * Episodes of failure that go on. This field came with version 3 of the interface.
   */
  uint64_t open_episodes;
} bw_log_counters;

/**
 * Where a line was added.
 */
typedef struct {
  /**
   * Set by the caller to `sizeof(bw_added)`.
   */
  size_t size;
  /**
   * The number of its template: from 1 on in the order of first sight, never used again.
   */
  uint64_t template_id;
  /**
   * What the line did to the templates.
   */
  bw_change change;
} bw_added;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the interface that the loaded library has, see `BW_ABI_VERSION`. Any thread may call it at any time.
 */
uint32_t bw_abi_version(void);

/**
 * The version of the product, as "major.minor.patch". The string is static: never freed, valid for ever. Any thread may
 * call it at any time.
 */
const char *bw_version(void);

/**
 * The code of the call that made `error`; `BW_OK` where `error` is NULL.
 */
bw_result bw_error_code(const bw_error *error);

/**
 * One line in UTF-8 that says what was wrong, where, and what would be right. The string belongs to `error` and lives as
 * long as it. NULL where `error` is NULL.
 */
const char *bw_error_message(const bw_error *error);

/**
 * Frees `error`. NULL is fine.
 */
void bw_error_free(bw_error *error);

/**
 * Makes options that are all at their defaults. The caller owns them and frees them with `bw_had_options_free`. NULL only
 * where bellwether has a defect.
 */
bw_had_options *bw_had_options_new(void);

/**
 * Frees `options`. NULL is fine. Detectors that were made with them go on.
 */
void bw_had_options_free(bw_had_options *options);

/**
 * Sets the option `name` to what `value` stands for, both in UTF-8 as a user would write them. What contradicts another
 * option is noticed only by `bw_had_new`, so that the order of setting does not matter.
 *
 * `BW_INVALID_OPTION` for an unknown name (the message has the nearest one) or a value that the option does not take (the
 * message says what it takes), `BW_INVALID_ARGUMENT` where `options`, `name` or `value` is NULL; the options are then as
 * before. `error` may be NULL.
 */
bw_result bw_had_options_set(bw_had_options *options,
                             const char *name,
                             size_t name_len,
                             const char *value,
                             size_t value_len,
                             bw_error **error);

/**
 * How many options there are. Any thread may call it at any time.
 */
size_t bw_had_option_count(void);

/**
 * Describes the option with this `index`, in the order in which documentation lists them, in `*info`, whose field `size` the
 * caller has set. Any thread may call it at any time.
 *
 * `BW_NOT_FOUND` where `index` is not below `bw_had_option_count()`, `BW_INVALID_ARGUMENT` where `info` is NULL or its `size`
 * is too small; `*info` is then as before. `error` may be NULL.
 */
bw_result bw_had_option_describe(size_t index,
                                 bw_option_info *info,
                                 bw_error **error);

/**
 * Frees `event`. NULL is fine.
 */
void bw_event_free(bw_event *event);

/**
 * The event as one line of JSON in UTF-8, without a newline. The string belongs to `event` and lives as long as it. NULL
 * where `event` is NULL.
 */
const char *bw_event_json(const bw_event *event);

/**
 * How many keys the event has; 0 where `event` is NULL.
 */
size_t bw_event_field_count(const bw_event *event);

/**
 * Gives the key with this `index` in `*key` and its value as text in `*value`. Both strings are in UTF-8, belong to `event`
 * and live as long as it.
 *
 * `BW_NOT_FOUND` where `index` is not below `bw_event_field_count(event)`, `BW_INVALID_ARGUMENT` where `event`, `key` or
 * `value` is NULL; `*key` and `*value` are then as before. `error` may be NULL.
 */
bw_result bw_event_field(const bw_event *event,
                         size_t index,
                         const char **key,
                         const char **value,
                         bw_error **error);

/**
 * The value of `key` as text in UTF-8. The string belongs to `event` and lives as long as it. NULL where the event has no such
 * key, where `event` or `key` is NULL, or where `key` is not UTF-8.
 */
const char *bw_event_text(const bw_event *event,
                          const char *key,
                          size_t key_len);

/**
 * Gives the value of `key` as a number in `*number`; true is 1 and false is 0.
 *
 * `BW_NOT_FOUND` where the event has no such key or its value is a text (also one that looks like a number, such as a VM
 * named "42"), `BW_INVALID_ARGUMENT` where `event`, `key` or `number` is NULL or `key` is not UTF-8; `*number` is then as
 * before. `error` may be NULL.
 */
bw_result bw_event_number(const bw_event *event,
                          const char *key,
                          size_t key_len,
                          double *number,
                          bw_error **error);

/**
 * Frees `snapshot`. NULL is fine.
 */
void bw_snapshot_free(bw_snapshot *snapshot);

/**
 * How many bytes `snapshot` has; 0 where it is NULL.
 */
size_t bw_snapshot_size(const bw_snapshot *snapshot);

/**
 * Writes `snapshot` to the file `path` and waits until it is on the disk, so that a crash at any moment leaves either the old file
 * or the new one, whole. `path` is in the system's encoding, without NUL bytes, and not kept.
 *
 * `BW_IO` where the file cannot be written; an old one is then untouched. `BW_INVALID_ARGUMENT` where `snapshot` or `path` is NULL
 * or the path is empty. `error` may be NULL.
 */
bw_result bw_snapshot_write(const bw_snapshot *snapshot,
                            const char *path,
                            size_t path_len,
                            bw_error **error);

/**
 * Makes sure, before anything is learnt, that state can be saved to the file `path` and loaded from it: creates its folder (mode
 * 0750) where only that is missing, and finds out whether the file can be read and written, without changing it. `path` is in
 * the system's encoding, without NUL bytes, and not kept.
 *
 * Sets `*in_place` where it can: true where the system does not let the file be replaced, so that it is going to be written in
 * place. It is a mount of its own then, as a file that is mounted into a container, or its folder may not be written to. That
 * should be said to whoever runs the program: a crash while such a file is written is survived only where its folder has room
 * for a copy. `in_place` may be NULL.
 *
 * `BW_IO` where it cannot; the message names the path and the reason. `BW_INVALID_ARGUMENT` where `path` is NULL or empty. `error`
 * may be NULL. Any thread may call it at any time.
 */
bw_result bw_state_prepare(const char *path,
                           size_t path_len,
                           bool *in_place,
                           bw_error **error);

/**
 * Makes a detector that knows nothing yet. `options` are copied: the caller still owns them; NULL means all defaults. The
 * caller owns the detector and frees it with `bw_had_free`.
 *
 * NULL where it fails, which is where options contradict each other: the error's code is then `BW_INVALID_OPTION`. `error` may
 * be NULL.
 */
bw_had *bw_had_new(const bw_had_options *options,
                   bw_error **error);

/**
 * Frees `had`. NULL is fine. Events that it gave live on; statuses that it gave do not.
 */
void bw_had_free(bw_had *had);

/**
 * Takes one sample and says in `*outcome` what became of it; `outcome` may be NULL. Events that it brings about wait for
 * `bw_had_next_event`.
 *
 * `BW_INVALID_ARGUMENT` where `had`, `observation` or one of its strings is NULL, a string is not UTF-8 or holds a NUL byte,
 * or the field `size` is not `sizeof(bw_observation)`; `*outcome` is then as before. `error` may be NULL.
 */
bw_result bw_had_observe(bw_had *had,
                         const bw_observation *observation,
                         bw_outcome *outcome,
                         bw_error **error);

/**
 * Says that no sample with a time before `time` (seconds since the epoch) is going to come any more: judges the intervals
 * that ended by then, notices silence, and forgets who has been silent for too long. A time that is not finite or thousands of
 * years off changes nothing.
 *
 * `BW_INVALID_ARGUMENT` where `had` is NULL. `error` may be NULL.
 */
bw_result bw_had_advance(bw_had *had,
                         double time,
                         bw_error **error);

/**
 * `bw_had_advance` for one hypervisor, by its own clock: how far a hypervisor's samples are behind decides then when its
 * intervals end and its silence is noticed, and not when those of others do. Without effect where nothing is known of the
 * hypervisor. The string is in UTF-8, without NUL bytes, and not kept.
 *
 * `BW_INVALID_ARGUMENT` where `had` or `hypervisor` is NULL or the string is not UTF-8. `error` may be NULL.
 */
bw_result bw_had_advance_hypervisor(bw_had *had,
                                    const char *hypervisor,
                                    size_t hypervisor_len,
                                    double time,
                                    bw_error **error);

/**
 * Masks a VM that is paused, shut off or migrating (`masked` true), or unmasks it (false). A masked VM abstains: its samples
 * do not count, and that it stands still is no sign of anything. Without effect where nothing is known of the hypervisor yet.
 * The strings are in UTF-8, without NUL bytes, and not kept.
 *
 * `BW_INVALID_ARGUMENT` where `had`, `hypervisor` or `vm` is NULL or a string is not UTF-8. `error` may be NULL.
 */
bw_result bw_had_mask(bw_had *had,
                      const char *hypervisor,
                      size_t hypervisor_len,
                      const char *vm,
                      size_t vm_len,
                      bool masked,
                      bw_error **error);

/**
 * The oldest event that was not fetched yet; the caller owns it and frees it with `bw_event_free`. NULL where there is none,
 * and where `had` is NULL.
 */
bw_event *bw_had_next_event(bw_had *had);

/**
 * What an operator should know and that is no event, as a line for a log: why a VM or a hypervisor is not judged. At most one
 * of each kind waits, the first one. What it is about is said in `*kind`, which may be NULL.
 *
 * NULL where there is none, and where `had` is NULL; `*kind` is then as before. The string is in UTF-8 and NUL-terminated; it
 * belongs to the detector and lives until the next `bw_had_next_notice` or `bw_had_free`.
 */
const char *bw_had_next_notice(bw_had *had,
                               bw_notice *kind);

/**
 * Saves all that was learnt to the file `path`, so that a crash at any moment leaves either the old file or the new one,
 * whole. `path` is in the system's encoding, without NUL bytes, and not kept.
 *
 * `BW_IO` where the file cannot be written; an old one is then untouched. `BW_INVALID_ARGUMENT` where `had` or `path` is NULL or
 * the path is empty. `error` may be NULL.
 */
bw_result bw_had_save(const bw_had *had,
                      const char *path,
                      size_t path_len,
                      bw_error **error);

/**
 * All that `had` has learnt, as `bw_had_save` would write it; the caller owns it and frees it with `bw_snapshot_free`. Taking it takes
 * as long as it takes to copy what was learnt; only `bw_snapshot_write` waits for a disk, and needs no detector.
 *
 * NULL where it fails, which is where `had` is NULL. `error` may be NULL.
 */
bw_snapshot *bw_had_snapshot(const bw_had *had,
                             bw_error **error);

/**
 * Replaces all that was learnt by what `bw_had_save` wrote to the file `path`: the detector goes on as if it had never
 * stopped. `path` is in the system's encoding, without NUL bytes, and not kept.
 *
 * `BW_NOT_FOUND` where there is no such file, which is how a first start looks; `BW_IO` where it cannot be read;
 * `BW_SNAPSHOT_UNUSABLE` where it is damaged, of another version, or made with options that shape the state otherwise: it is
 * then renamed, and the message says to what. `BW_INVALID_ARGUMENT` where `had` or `path` is NULL or the path is empty. In all
 * these cases the detector is as before and can be used. `error` may be NULL.
 */
bw_result bw_had_load(bw_had *had,
                      const char *path,
                      size_t path_len,
                      bw_error **error);

/**
 * Counts in `*counters`, whose field `size` the caller has set.
 *
 * `BW_INVALID_ARGUMENT` where `had` or `counters` is NULL or the field `size` is too small; `*counters` is then as before.
 * `error` may be NULL.
 */
bw_result bw_had_counters(const bw_had *had,
                          bw_counters *counters,
                          bw_error **error);

/**
 * Takes stock of where every metric of every hypervisor stands, for `bw_had_status` to read, and says how many these are; 0
 * where `had` is NULL. What an earlier call took stock of is gone, with the strings of its statuses.
 */
size_t bw_had_status_count(bw_had *had);

/**
 * Reads one status of those that the last `bw_had_status_count` took stock of into `*status`, whose field `size` the caller
 * has set. The order is that of first sight; a hypervisor that took the place of an evicted one has its place. What was observed
 * since is not in it.
 *
 * `BW_NOT_FOUND` where `index` is not below what `bw_had_status_count` said, `BW_INVALID_ARGUMENT` where `had` or `status` is NULL
 * or the field `size` is too small; `*status` is then as before. `error` may be NULL.
 */
bw_result bw_had_status(const bw_had *had,
                        size_t index,
                        bw_status *status,
                        bw_error **error);

/**
 * Makes options that are all at their defaults. The caller owns them and frees them with `bw_lad_options_free`. NULL only
 * where bellwether has a defect.
 */
bw_lad_options *bw_lad_options_new(void);

/**
 * Frees `options`. NULL is fine. What was made with them goes on.
 */
void bw_lad_options_free(bw_lad_options *options);

/**
 * Sets the option `name` to what `value` stands for, as `bw_had_options_set` does. What contradicts another option is noticed
 * only by `bw_lad_new`.
 *
 * `BW_INVALID_OPTION` for an unknown name (the message has the nearest one) or a value that the option does not take (the
 * message says what it takes), `BW_INVALID_ARGUMENT` where `options`, `name` or `value` is NULL; the options are then as
 * before. `error` may be NULL.
 */
bw_result bw_lad_options_set(bw_lad_options *options,
                             const char *name,
                             size_t name_len,
                             const char *value,
                             size_t value_len,
                             bw_error **error);

/**
 * How many options there are. Any thread may call it at any time.
 */
size_t bw_lad_option_count(void);

/**
 * Describes the option with this `index` in `*info`, as `bw_had_option_describe` does. Any thread may call it at any time.
 *
 * `BW_NOT_FOUND` where `index` is not below `bw_lad_option_count()`, `BW_INVALID_ARGUMENT` where `info` is NULL or its `size`
 * is too small; `*info` is then as before. `error` may be NULL.
 */
bw_result bw_lad_option_describe(size_t index,
                                 bw_option_info *info,
                                 bw_error **error);

/**
 * Makes a detector that knows nothing yet. `options` are copied: the caller still owns them; NULL means all defaults. The
 * caller owns the detector and frees it with `bw_lad_free`. A file that the option "lexicon" names is read now.
 *
 * NULL where it fails, which is where options contradict each other or that file cannot be used: the error's code is then
 * `BW_INVALID_OPTION`. `error` may be NULL.
 */
bw_lad *bw_lad_new(const bw_lad_options *options,
                   bw_error **error);

/**
 * Frees `lad`. NULL is fine. Events that it gave live on; templates that it gave do not.
 */
void bw_lad_free(bw_lad *lad);

/**
 * Takes one record and says in `*observed`, whose field `size` the caller has set, what it is; `observed` may be NULL. Events
 * that it brings about wait for `bw_lad_next_event`.
 *
 * `BW_INVALID_ARGUMENT` where `lad`, `record`, its stream or its text is NULL, the stream's name is not UTF-8 or holds a NUL
 * byte, a field `size` is too small, or `record` has something behind the fields that this version of the library knows;
 * `*observed` is then as before, and the record did not count. `error` may be NULL.
 */
bw_result bw_lad_observe(bw_lad *lad,
                         const bw_record *record,
                         bw_observed *observed,
                         bw_error **error);

/**
 * Says that no record with a time before `time` (seconds since the epoch) is going to come any more: forgets streams that have
 * been silent for too long, and clears what is open of them. A time that is not finite or thousands of years off changes
 * nothing.
 *
 * `BW_INVALID_ARGUMENT` where `lad` is NULL. `error` may be NULL.
 */
bw_result bw_lad_advance(bw_lad *lad,
                         double time,
                         bw_error **error);

/**
 * Takes an operator's word for what the records of a template of `stream` are; `verdict` is one of `bw_verdict`. It holds from
 * now on, and re-scores what it touches: an episode of which nothing is left is cleared, one that should be there is raised,
 * what was learnt from a failure is forgotten.
 *
 * `BW_NOT_FOUND` where there is no such stream or template (any more), `BW_INVALID_ARGUMENT` where `lad` or `stream` is NULL, the
 * name is not UTF-8 or holds a NUL byte, or `verdict` is none of `bw_verdict`. `error` may be NULL.
 */
bw_result bw_lad_feedback(bw_lad *lad,
                          const char *stream,
                          size_t stream_len,
                          uint64_t template_id,
                          uint32_t verdict,
                          bw_error **error);

/**
 * The template of `stream` with the number `template_id`, in UTF-8 and NUL-terminated. It belongs to the detector and lives
 * until the next call on it. NULL where there is no such stream or template (any more), and where `lad` or `stream` is NULL or
 * the name is not UTF-8.
 */
const char *bw_lad_template(bw_lad *lad,
                            const char *stream,
                            size_t stream_len,
                            uint64_t template_id);

/**
 * The oldest event that was not fetched yet; the caller owns it and frees it with `bw_event_free`. NULL where there is none,
 * and where `lad` is NULL.
 */
bw_event *bw_lad_next_event(bw_lad *lad);

/**
 * Saves all that was learnt to the file `path`, so that a crash at any moment leaves either the old file or the new one,
 * whole. `path` is in the system's encoding, without NUL bytes, and not kept.
 *
 * `BW_IO` where the file cannot be written; an old one is then untouched. `BW_INVALID_ARGUMENT` where `lad` or `path` is NULL or
 * the path is empty. `error` may be NULL.
 */
bw_result bw_lad_save(const bw_lad *lad,
                      const char *path,
                      size_t path_len,
                      bw_error **error);

/**
 * All that `lad` has learnt, as `bw_lad_save` would write it; the caller owns it and frees it with `bw_snapshot_free`. Taking it takes
 * as long as it takes to copy what was learnt; only `bw_snapshot_write` waits for a disk, and needs no detector.
 *
 * NULL where it fails, which is where `lad` is NULL. `error` may be NULL.
 */
bw_snapshot *bw_lad_snapshot(const bw_lad *lad,
                             bw_error **error);

/**
 * Replaces all that was learnt by what `bw_lad_save` wrote to the file `path`: the detector goes on as if it had never
 * stopped. `path` is in the system's encoding, without NUL bytes, and not kept.
 *
 * `BW_NOT_FOUND` where there is no such file, which is how a first start looks; `BW_IO` where it cannot be read;
 * `BW_SNAPSHOT_UNUSABLE` where it is damaged, of another version, or made with options that shape the state otherwise: it is
 * then renamed, and the message says to what. `BW_INVALID_ARGUMENT` where `lad` or `path` is NULL or the path is empty. In all
 * these cases the detector is as before and can be used. `error` may be NULL.
 */
bw_result bw_lad_load(bw_lad *lad,
                      const char *path,
                      size_t path_len,
                      bw_error **error);

/**
 * Counts in `*counters`, whose field `size` the caller has set.
 *
 * `BW_INVALID_ARGUMENT` where `lad` or `counters` is NULL or the field `size` is too small; `*counters` is then as before.
 * `error` may be NULL.
 */
bw_result bw_lad_counters(const bw_lad *lad,
                          bw_log_counters *counters,
                          bw_error **error);

/**
 * Makes options that are all at their defaults. The caller owns them and frees them with `bw_drain_options_free`. NULL only
 * where bellwether has a defect.
 */
bw_drain_options *bw_drain_options_new(void);

/**
 * Frees `options`. NULL is fine. What was made with them goes on.
 */
void bw_drain_options_free(bw_drain_options *options);

/**
 * Sets the option `name` to what `value` stands for, as `bw_had_options_set` does. What contradicts another option is noticed
 * only by `bw_drain_new`.
 *
 * `BW_INVALID_OPTION` for an unknown name (the message has the nearest one) or a value that the option does not take (the
 * message says what it takes), `BW_INVALID_ARGUMENT` where `options`, `name` or `value` is NULL; the options are then as
 * before. `error` may be NULL.
 */
bw_result bw_drain_options_set(bw_drain_options *options,
                               const char *name,
                               size_t name_len,
                               const char *value,
                               size_t value_len,
                               bw_error **error);

/**
 * How many options there are. Any thread may call it at any time.
 */
size_t bw_drain_option_count(void);

/**
 * Describes the option with this `index` in `*info`, as `bw_had_option_describe` does. Any thread may call it at any time.
 *
 * `BW_NOT_FOUND` where `index` is not below `bw_drain_option_count()`, `BW_INVALID_ARGUMENT` where `info` is NULL or its `size`
 * is too small; `*info` is then as before. `error` may be NULL.
 */
bw_result bw_drain_option_describe(size_t index,
                                   bw_option_info *info,
                                   bw_error **error);

/**
 * Makes a parser that knows no template yet. `options` are copied: the caller still owns them; NULL means all defaults. The
 * caller owns the parser and frees it with `bw_drain_free`.
 *
 * NULL where it fails, which is where options are wrong together or a mask is no regular expression: the error's code is then
 * `BW_INVALID_OPTION`. `error` may be NULL.
 */
bw_drain *bw_drain_new(const bw_drain_options *options,
                       bw_error **error);

/**
 * Frees `drain` with all strings that it gave. NULL is fine.
 */
void bw_drain_free(bw_drain *drain);

/**
 * Adds a line and says in `*added`, whose field `size` the caller has set, to which template; `added` may be NULL. The line
 * may hold any bytes: those that are no UTF-8, and NUL bytes, are replaced. It is not kept.
 *
 * `BW_INVALID_ARGUMENT` where `drain` or `line` is NULL or the field `size` is too small; `*added` is then as before, and the
 * line was not added. `error` may be NULL.
 */
bw_result bw_drain_add(bw_drain *drain,
                       const char *line,
                       size_t line_len,
                       bw_added *added,
                       bw_error **error);

/**
 * The template with the number `template_id`, in UTF-8 and NUL-terminated. It belongs to the parser and lives until the next
 * `bw_drain_template` or `bw_drain_free`. NULL where there is no such template (any more), and where `drain` is NULL.
 */
const char *bw_drain_template(bw_drain *drain,
                              uint64_t template_id);

/**
 * Takes stock of what stands in `line` where the template with the number `template_id` has placeholders, for
 * `bw_drain_parameter` to read, and says how many these values are; 0 where there are none, where there is no such template,
 * where it does not fit the line, and where `drain` or `line` is NULL. What an earlier call took stock of is gone.
 */
size_t bw_drain_parameter_count(bw_drain *drain,
                                uint64_t template_id,
                                const char *line,
                                size_t line_len);

/**
 * The value with this `index` of those that the last `bw_drain_parameter_count` took stock of, in UTF-8 and NUL-terminated. It
 * belongs to the parser and lives until the next `bw_drain_parameter_count` or `bw_drain_free`. NULL where `index` is not below
 * what that said, and where `drain` is NULL.
 */
const char *bw_drain_parameter(const bw_drain *drain,
                               size_t index);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* BELLWETHER_H */
