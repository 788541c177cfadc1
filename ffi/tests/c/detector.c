/* Observations, masks, counters and statuses. */
#include "check.h"

static bw_outcome outcome_of(bw_had *had, bw_observation o) {
  bw_outcome outcome = (bw_outcome)-1;
  bw_error *error = NULL;
  CHECK(bw_had_observe(had, &o, &outcome, &error) == BW_OK);
  CHECK(error == NULL);
  return outcome;
}

static void null_detector(void) {
  bw_observation o = sample("vm", 1e9, 1.0);
  bw_outcome outcome = BW_OUTCOME_FULL;
  bw_counters counters = {.size = sizeof counters};
  bw_status status = {.size = sizeof status};
  bw_had_free(NULL);
  CHECK(bw_had_next_event(NULL) == NULL);
  CHECK(bw_had_status_count(NULL) == 0);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_had is NULL", bw_had_observe, NULL, &o, &outcome);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_had is NULL", bw_had_advance, NULL, 1.0);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_had is NULL", bw_had_mask, NULL, STR("host-1"), STR("vm"), true);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_had is NULL", bw_had_counters, NULL, &counters);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_had is NULL", bw_had_status, NULL, 0, &status);
  CHECK(outcome == BW_OUTCOME_FULL);
}

static void wrong_arguments(bw_had *had) {
  bw_outcome outcome = BW_OUTCOME_FULL;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_observation is NULL", bw_had_observe, had, NULL, &outcome);

  size_t sizes[] = {0, 1, sizeof(size_t), sizeof(bw_observation) - 1, 4104, (size_t)-1};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    bw_observation o = sample("vm", 1e9, 1.0);
    o.size = sizes[i];
    CHECK_FAILS(BW_INVALID_ARGUMENT, "sizeof(bw_observation)", bw_had_observe, had, &o, &outcome);
  }

  /* Each of the three strings, each in every wrong way. */
  const char *names[] = {"bw_observation.hypervisor", "bw_observation.vm", "bw_observation.metric"};
  for (int i = 0; i < 3; i++) {
    bw_observation o = sample("vm", 1e9, 1.0);
    const char **text = i == 0 ? &o.hypervisor : i == 1 ? &o.vm : &o.metric;
    size_t *length = i == 0 ? &o.hypervisor_len : i == 1 ? &o.vm_len : &o.metric_len;
    *text = NULL;
    CHECK_FAILS(BW_INVALID_ARGUMENT, names[i], bw_had_observe, had, &o, &outcome);
    *length = 0;
    CHECK_FAILS(BW_INVALID_ARGUMENT, "is NULL", bw_had_observe, had, &o, &outcome);
    *text = NOT_UTF8, *length = strlen(NOT_UTF8);
    CHECK_FAILS(BW_INVALID_ARGUMENT, "is not UTF-8", bw_had_observe, had, &o, &outcome);
    *text = "a\0b", *length = 3;
    CHECK_FAILS(BW_INVALID_ARGUMENT, "holds a NUL byte, at 1 of 3", bw_had_observe, had, &o, &outcome);
    *length = (size_t)-1;
    CHECK_FAILS(BW_INVALID_ARGUMENT, names[i], bw_had_observe, had, &o, &outcome);
  }
  CHECK(outcome == BW_OUTCOME_FULL);

  CHECK_FAILS(BW_INVALID_ARGUMENT, "hypervisor is NULL", bw_had_mask, had, NULL, 6, STR("vm"), true);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "vm is NULL", bw_had_mask, had, STR("host-1"), NULL, 2, true);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "hypervisor is not UTF-8", bw_had_mask, had, STR(NOT_UTF8), STR("vm"), true);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "vm is not UTF-8", bw_had_mask, had, STR("host-1"), STR(NOT_UTF8), false);

  bw_counters counters = {.size = 0, .taken = 77};
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_counters is NULL", bw_had_counters, had, NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_counters.size is 0", bw_had_counters, had, &counters);
  counters.size = offsetof(bw_counters, hypervisors_evicted) - 1;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_counters.size", bw_had_counters, had, &counters);
  CHECK(counters.taken == 77);
  /* A program that was built when the struct was smaller gets as much as it knows of. */
  counters.size = offsetof(bw_counters, hypervisors_evicted);
  counters.hypervisors_evicted = 78;
  CHECK(bw_had_counters(had, &counters, NULL) == BW_OK);
  CHECK(counters.taken == 0 && counters.hypervisors_evicted == 78);

  /* Nothing of all this was an observation. */
  counters.size = sizeof counters;
  CHECK(bw_had_counters(had, &counters, NULL) == BW_OK);
  CHECK(counters.taken == 0 && counters.refused == 0 && counters.ignored == 0 && counters.hypervisors == 0);
}

static void outcomes(void) {
  bw_had_options *options = bw_had_options_new();
  CHECK(bw_had_options_set(options, STR("max_vms"), STR("2"), NULL) == BW_OK);
  CHECK(bw_had_options_set(options, STR("max_hypervisors"), STR("1"), NULL) == BW_OK);
  bw_error *error = NULL;
  bw_had *had = bw_had_new(options, &error);
  CHECK(had != NULL && error == NULL);
  bw_had_options_free(options);

  CHECK(outcome_of(had, sample("vm-1", 1e9, 1.0)) == BW_OUTCOME_TAKEN);
  CHECK(outcome_of(had, sample("vm-1", 1e9, 1.0)) == BW_OUTCOME_DUPLICATE);
  CHECK(outcome_of(had, sample("vm-2", 1e9, NAN)) == BW_OUTCOME_TAKEN);
  CHECK(outcome_of(had, sample("vm-3", 1e9, 1.0)) == BW_OUTCOME_FULL);
  bw_observation o = sample("vm-1", 1e9, 1.0);
  o.hypervisor = "host-2";
  CHECK(outcome_of(had, o) == BW_OUTCOME_FULL);
  o = sample("vm-1", 1e9, 1.0);
  o.metric = "gpu";
  CHECK(outcome_of(had, o) == BW_OUTCOME_IGNORED);
  o.metric_len = 0;
  CHECK(outcome_of(had, o) == BW_OUTCOME_IGNORED);
  CHECK(outcome_of(had, sample("", 1e9, 1.0)) == BW_OUTCOME_REFUSED);
  CHECK(outcome_of(had, sample("vm-1", NAN, 1.0)) == BW_OUTCOME_REFUSED);
  CHECK(outcome_of(had, sample("vm-1", 1e9, INFINITY)) == BW_OUTCOME_REFUSED);
  CHECK(outcome_of(had, sample("vm-1", 1e9, -1.0)) == BW_OUTCOME_REFUSED);

  CHECK(bw_had_mask(had, STR("host-1"), STR("vm-2"), true, &error) == BW_OK && error == NULL);
  CHECK(outcome_of(had, sample("vm-2", 1e9 + 10, 1.0)) == BW_OUTCOME_MASKED);
  CHECK(bw_had_mask(had, STR("host-1"), STR("vm-2"), false, NULL) == BW_OK);
  CHECK(outcome_of(had, sample("vm-2", 1e9 + 20, 1.0)) == BW_OUTCOME_SET_ASIDE);

  CHECK(bw_had_advance(had, 1e9 + 100, &error) == BW_OK && error == NULL);
  CHECK(outcome_of(had, sample("vm-1", 1e9 + 10, 1.0)) == BW_OUTCOME_LATE);
  CHECK(bw_had_advance(had, NAN, NULL) == BW_OK);
  CHECK(bw_had_advance(had, -INFINITY, NULL) == BW_OK);

  /* Nobody need look at the outcome. */
  o = sample("vm-1", 1e9 + 100, 1.0);
  CHECK(bw_had_observe(had, &o, NULL, NULL) == BW_OK);

  bw_counters counters = {.size = sizeof counters};
  CHECK(bw_had_counters(had, &counters, &error) == BW_OK && error == NULL);
  CHECK(counters.size == sizeof counters);
  CHECK(counters.taken == 3 && counters.set_aside == 1 && counters.duplicate == 1 && counters.full == 2 && counters.ignored == 2);
  CHECK(counters.refused == 4 && counters.masked == 1 && counters.late == 1 && counters.events_lost == 0);
  CHECK(counters.hypervisors == 1 && counters.vms == 2);
  bw_had_free(had);
}

static void statuses(void) {
  bw_had_options *options = bw_had_options_new();
  CHECK(bw_had_options_set(options, STR("metrics"), STR("cpu,disk_ops"), NULL) == BW_OK);
  bw_had *had = bw_had_new(options, NULL);
  bw_had_options_free(options);
  bw_status status = {.size = sizeof status, .vms = 77};
  CHECK(bw_had_status_count(had) == 0);
  CHECK_FAILS(BW_NOT_FOUND, "there is no status 0", bw_had_status, had, 0, &status);

  double time = 1e9;
  feed(had, &time, 5, 20.0);
  bw_observation o = sample("vm-0", time, 20.0);
  o.metric = "disk_ops", o.metric_len = 8;
  CHECK(outcome_of(had, o) == BW_OUTCOME_TAKEN);
  CHECK_FAILS(BW_NOT_FOUND, "bw_had_status_count", bw_had_status, had, 0, &status);
  CHECK(status.vms == 77);

  CHECK(bw_had_status_count(had) == 2);
  bw_error *error = NULL;
  CHECK(bw_had_status(had, 0, &status, &error) == BW_OK && error == NULL);
  CHECK(status.size == sizeof status);
  CHECK(strcmp(status.hypervisor, "host-1") == 0 && status.hypervisor_len == 6);
  CHECK(strcmp(status.metric, "cpu") == 0 && status.metric_len == 3);
  CHECK(status.vms == 8 && !status.raised);
  CHECK(status.score >= 0.0 && status.score < 0.5 && status.consensus >= 0.0 && status.consensus <= 1.0);
  CHECK(status.time >= 1e9 && status.time < time && status.voters <= status.vms);

  /* What was read lives on while samples come in, until statuses are counted again. */
  bw_status other = {.size = sizeof other};
  feed(had, &time, 100, 20.0);
  CHECK(bw_had_status(had, 1, &other, NULL) == BW_OK);
  CHECK(strcmp(other.metric, "disk_ops") == 0 && other.vms == 1 && strcmp(status.metric, "cpu") == 0);

  CHECK_FAILS(BW_NOT_FOUND, "there is no status 2", bw_had_status, had, 2, &status);
  CHECK_FAILS(BW_NOT_FOUND, "there is no status", bw_had_status, had, (size_t)-1, &status);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_status is NULL", bw_had_status, had, 0, NULL);
  status.size = sizeof(size_t);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_status.size", bw_had_status, had, 0, &status);
  status.size = offsetof(bw_status, interval), status.interval = -1.0;
  CHECK(bw_had_status(had, 0, &status, NULL) == BW_OK && status.interval == -1.0);
  status.size = sizeof status;
  CHECK(bw_had_status(had, 0, &status, NULL) == BW_OK && status.interval == 10.0);
  bw_had_free(had);
}

/* Time passes for one hypervisor, and what is to be known of a VM whose clock is wrong is said once. */
static void time_of_one(void) {
  bw_had *had = bw_had_new(NULL, NULL);
  bw_error *error = NULL;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "hypervisor is NULL", bw_had_advance_hypervisor, had, NULL, 6, 1.0);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_had is NULL", bw_had_advance_hypervisor, NULL, STR("host-1"), 1.0);
  CHECK(bw_had_advance_hypervisor(had, STR("unknown"), 1e9, &error) == BW_OK && error == NULL);
  double time = 1e9;
  feed(had, &time, 50, 20.0);
  bw_notice kind = BW_NOTICE_CLOCK_STEP;
  CHECK(bw_had_next_notice(had, &kind) == NULL && bw_had_next_notice(NULL, &kind) == NULL);
  CHECK(kind == BW_NOTICE_CLOCK_STEP);
  CHECK(bw_had_advance(had, time - 10.0, NULL) == BW_OK);
  for (int i = 0; i < 40; i++)
    CHECK(outcome_of(had, sample("vm-0", time + 1e6 + 10.0 * i, 20.0)) == BW_OUTCOME_SET_ASIDE);
  const char *message = bw_had_next_notice(had, &kind);
  CHECK(message != NULL && kind == BW_NOTICE_VM_CLOCK && strstr(message, "vm-0") != NULL);
  CHECK(bw_had_next_notice(had, NULL) == NULL);
  CHECK(bw_had_advance_hypervisor(had, STR("host-1"), time + 1000.0, NULL) == BW_OK);
  bw_event *event = bw_had_next_event(had);
  CHECK(event != NULL && strcmp(bw_event_text(event, STR("event")), "hypervisor_silence") == 0);
  bw_event_free(event);
  bw_had_free(had);
}

int main(void) {
  null_detector();
  bw_had *had = bw_had_new(NULL, NULL);
  CHECK(had != NULL);
  wrong_arguments(had);
  bw_had_free(had);
  outcomes();
  statuses();
  time_of_one();
  return 0;
}
