/* Observations, masks, counters and statuses. */
#include "check.h"

static bw_had_outcome outcome_of(bw_detector *had, bw_had_observation o) {
  bw_had_outcome outcome = (bw_had_outcome)-1;
  bw_error *error = NULL;
  CHECK(bw_had_observe(had, &o, &outcome, &error) == BW_OK);
  CHECK(error == NULL);
  return outcome;
}

static void null_detector(void) {
  bw_had_observation o = sample("vm", 1e9, 1.0);
  bw_had_outcome outcome = BW_HAD_OUTCOME_FULL;
  bw_had_status status = {.size = sizeof status};
  bw_detector_free(NULL);
  CHECK(!bw_detector_counter(NULL, 0, NULL, NULL));
  CHECK(bw_detector_next_event(NULL) == NULL);
  CHECK(bw_had_status_count(NULL) == 0);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_had_observe, NULL, &o, &outcome);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_detector_advance, NULL, 1.0);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_had_mask, NULL, BW_STR("host-1"), BW_STR("vm"), true);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_had_status_at, NULL, 0, &status);
  CHECK(outcome == BW_HAD_OUTCOME_FULL);
}

static void wrong_arguments(bw_detector *had) {
  bw_had_outcome outcome = BW_HAD_OUTCOME_FULL;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_had_observation is NULL", bw_had_observe, had, NULL, &outcome);

  size_t sizes[] = {0, 1, sizeof(size_t), sizeof(bw_had_observation) - 1, sizeof(bw_had_observation) + 1, 4104, (size_t)-1};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    bw_had_observation o = sample("vm", 1e9, 1.0);
    o.size = sizes[i];
    CHECK_FAILS(BW_INVALID_ARGUMENT, "sizeof(bw_had_observation)", bw_had_observe, had, &o, &outcome);
  }

  /* Each of the three strings, each in every wrong way. */
  const char *names[] = {"bw_had_observation.hypervisor", "bw_had_observation.vm", "bw_had_observation.metric"};
  for (int i = 0; i < 3; i++) {
    bw_had_observation o = sample("vm", 1e9, 1.0);
    bw_string *name = i == 0 ? &o.hypervisor : i == 1 ? &o.vm : &o.metric;
    const char **text = &name->data;
    size_t *length = &name->size;
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
  CHECK(outcome == BW_HAD_OUTCOME_FULL);

  CHECK_FAILS(BW_INVALID_ARGUMENT, "hypervisor is NULL", bw_had_mask, had, NULL, 6, BW_STR("vm"), true);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "vm is NULL", bw_had_mask, had, BW_STR("host-1"), NULL, 2, true);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "hypervisor is not UTF-8", bw_had_mask, had, BW_STR(NOT_UTF8), BW_STR("vm"), true);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "vm is not UTF-8", bw_had_mask, had, BW_STR("host-1"), BW_STR(NOT_UTF8), false);

  /* Nothing of all this was an observation. */
  CHECK(counter(had, "taken") == 0 && counter(had, "refused") == 0 && counter(had, "ignored") == 0);
  CHECK(counter(had, "hypervisors") == 0);
}

/* What one kind of detector has, another one refuses, and goes on. */
static void another_kind(void) {
  bw_detector *kinds[] = {detector("had"), detector("lad"), detector("drain")};
  bw_detector *had = kinds[0], *lad = kinds[1], *drain = kinds[2];
  bw_had_observation o = sample("vm", 1e9, 1.0);
  bw_lad_record r = {.size = sizeof r, .stream = string("host-1"), .text = string("text"), .time = 1e9};
  bw_had_batch samples = {.size = sizeof samples};
  bw_lad_batch records = {.size = sizeof records};
  bw_had_status status = {.size = sizeof status};
  const char *had_wanted = "needs a detector \"had\", and this one is \"lad\"";
  const char *lad_wanted = "needs a detector \"lad\", and this one is \"drain\"";
  const char *drain_wanted = "needs a detector \"drain\", and this one is \"had\"";
  CHECK_FAILS(BW_INVALID_ARGUMENT, had_wanted, bw_had_observe, lad, &o, NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, had_wanted, bw_had_observe_many, lad, &samples, NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, had_wanted, bw_had_advance_hypervisor, lad, BW_STR("host-1"), 1.0);
  CHECK_FAILS(BW_INVALID_ARGUMENT, had_wanted, bw_had_mask, lad, BW_STR("host-1"), BW_STR("vm"), true);
  CHECK_FAILS(BW_INVALID_ARGUMENT, had_wanted, bw_had_status_at, lad, 0, &status);
  CHECK_FAILS(BW_INVALID_ARGUMENT, had_wanted, bw_had_mask_hypervisor, lad, BW_STR("host-1"), 1.0, 2.0);
  CHECK_FAILS(BW_INVALID_ARGUMENT, had_wanted, bw_had_unmask_hypervisor, lad, BW_STR("host-1"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, had_wanted, bw_had_window_at, lad, 0, NULL);
  CHECK(bw_had_status_count(lad) == 0 && bw_had_window_count(lad) == 0 && bw_had_next_notice(lad, NULL).data == NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, lad_wanted, bw_lad_observe, drain, &r, NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, lad_wanted, bw_lad_observe_many, drain, &records, NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, lad_wanted, bw_lad_feedback, drain, BW_STR("host-1"), 1, BW_LAD_VERDICT_BENIGN);
  CHECK(bw_lad_template(drain, BW_STR("host-1"), 1).data == NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, drain_wanted, bw_drain_add, had, BW_STR("line"), NULL);
  CHECK(bw_drain_template(had, 1).data == NULL && bw_drain_parameter(had, 0).data == NULL);
  CHECK(bw_drain_parameter_count(had, 1, BW_STR("line")) == 0);
  CHECK(bw_had_observe(had, &o, NULL, NULL) == BW_OK && bw_lad_observe(lad, &r, NULL, NULL) == BW_OK);
  CHECK(bw_drain_add(drain, BW_STR("line"), NULL, NULL) == BW_OK);
  for (int i = 0; i < 3; i++) bw_detector_free(kinds[i]);
}

static void outcomes(void) {
  bw_options *options = bw_options_new(BW_STR("had"), NULL);
  CHECK(bw_options_set(options, BW_STR("max_vms"), BW_STR("2"), NULL) == BW_OK);
  CHECK(bw_options_set(options, BW_STR("max_hypervisors"), BW_STR("1"), NULL) == BW_OK);
  bw_error *error = NULL;
  bw_detector *had = bw_detector_new(options, &error);
  CHECK(had != NULL && error == NULL);
  bw_options_free(options);

  CHECK(outcome_of(had, sample("vm-1", 1e9, 1.0)) == BW_HAD_OUTCOME_TAKEN);
  CHECK(outcome_of(had, sample("vm-1", 1e9, 1.0)) == BW_HAD_OUTCOME_DUPLICATE);
  CHECK(outcome_of(had, sample("vm-2", 1e9, NAN)) == BW_HAD_OUTCOME_TAKEN);
  CHECK(outcome_of(had, sample("vm-3", 1e9, 1.0)) == BW_HAD_OUTCOME_FULL);
  bw_had_observation o = sample("vm-1", 1e9, 1.0);
  o.hypervisor = string("host-2");
  CHECK(outcome_of(had, o) == BW_HAD_OUTCOME_FULL);
  o = sample("vm-1", 1e9, 1.0);
  o.metric = string("gpu");
  CHECK(outcome_of(had, o) == BW_HAD_OUTCOME_IGNORED);
  o.metric.size = 0;
  CHECK(outcome_of(had, o) == BW_HAD_OUTCOME_IGNORED);
  CHECK(outcome_of(had, sample("", 1e9, 1.0)) == BW_HAD_OUTCOME_REFUSED);
  CHECK(outcome_of(had, sample("vm-1", NAN, 1.0)) == BW_HAD_OUTCOME_REFUSED);
  CHECK(outcome_of(had, sample("vm-1", 1e9, INFINITY)) == BW_HAD_OUTCOME_REFUSED);
  CHECK(outcome_of(had, sample("vm-1", 1e9, -1.0)) == BW_HAD_OUTCOME_REFUSED);

  CHECK(bw_had_mask(had, BW_STR("host-1"), BW_STR("vm-2"), true, &error) == BW_OK && error == NULL);
  CHECK(outcome_of(had, sample("vm-2", 1e9 + 10, 1.0)) == BW_HAD_OUTCOME_MASKED);
  CHECK(bw_had_mask(had, BW_STR("host-1"), BW_STR("vm-2"), false, NULL) == BW_OK);
  CHECK(outcome_of(had, sample("vm-2", 1e9 + 20, 1.0)) == BW_HAD_OUTCOME_SET_ASIDE);

  CHECK(bw_detector_advance(had, 1e9 + 100, &error) == BW_OK && error == NULL);
  CHECK(outcome_of(had, sample("vm-1", 1e9 + 10, 1.0)) == BW_HAD_OUTCOME_LATE);
  CHECK(bw_detector_advance(had, NAN, NULL) == BW_OK);
  CHECK(bw_detector_advance(had, -INFINITY, NULL) == BW_OK);

  /* Nobody need look at the outcome. */
  o = sample("vm-1", 1e9 + 100, 1.0);
  CHECK(bw_had_observe(had, &o, NULL, NULL) == BW_OK);

  CHECK(counter(had, "taken") == 3 && counter(had, "set_aside") == 1 && counter(had, "duplicate") == 1);
  CHECK(counter(had, "full") == 2 && counter(had, "ignored") == 2 && counter(had, "refused") == 4);
  CHECK(counter(had, "masked") == 1 && counter(had, "late") == 1 && counter(had, "events_lost") == 0);
  CHECK(counter(had, "hypervisors") == 1 && counter(had, "vms") == 2);
  CHECK(bw_detector_counter(had, 0, NULL, NULL) && !bw_detector_counter(had, 1000, NULL, NULL));
  bw_detector_free(had);
}

static void statuses(void) {
  bw_options *options = bw_options_new(BW_STR("had"), NULL);
  CHECK(bw_options_set(options, BW_STR("metrics"), BW_STR("cpu,disk_ops"), NULL) == BW_OK);
  bw_detector *had = bw_detector_new(options, NULL);
  bw_options_free(options);
  bw_had_status status = {.size = sizeof status, .vms = 77};
  CHECK(bw_had_status_count(had) == 0);
  CHECK_FAILS(BW_NOT_FOUND, "there is no status 0", bw_had_status_at, had, 0, &status);

  double time = 1e9;
  feed(had, &time, 5, 20.0);
  bw_had_observation o = sample("vm-0", time, 20.0);
  o.metric = string("disk_ops");
  CHECK(outcome_of(had, o) == BW_HAD_OUTCOME_TAKEN);
  CHECK_FAILS(BW_NOT_FOUND, "bw_had_status_count", bw_had_status_at, had, 0, &status);
  CHECK(status.vms == 77);

  CHECK(bw_had_status_count(had) == 2);
  bw_error *error = NULL;
  CHECK(bw_had_status_at(had, 0, &status, &error) == BW_OK && error == NULL);
  CHECK(status.size == sizeof status);
  CHECK(is(status.hypervisor, "host-1") && is(status.metric, "cpu") && status.interval == 10.0);
  CHECK(status.vms == 8 && !status.raised);
  CHECK(status.score >= 0.0 && status.score < 0.5 && status.consensus >= 0.0 && status.consensus <= 1.0);
  CHECK(status.time >= 1e9 && status.time < time && status.voters <= status.vms);

  /* What was read lives on while samples come in, until statuses are counted again. */
  bw_had_status other = {.size = sizeof other};
  feed(had, &time, 100, 20.0);
  CHECK(bw_had_status_at(had, 1, &other, NULL) == BW_OK);
  CHECK(is(other.metric, "disk_ops") && other.vms == 1 && is(status.metric, "cpu"));

  CHECK_FAILS(BW_NOT_FOUND, "there is no status 2", bw_had_status_at, had, 2, &status);
  CHECK_FAILS(BW_NOT_FOUND, "there is no status", bw_had_status_at, had, (size_t)-1, &status);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_had_status is NULL", bw_had_status_at, had, 0, NULL);
  status.size = sizeof(size_t);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_had_status.size", bw_had_status_at, had, 0, &status);
  bw_detector_free(had);
}

/* Time passes for one hypervisor, and what is to be known of a VM whose clock is wrong is said once. */
static void time_of_one(void) {
  bw_detector *had = detector("had");
  bw_error *error = NULL;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "hypervisor is NULL", bw_had_advance_hypervisor, had, NULL, 6, 1.0);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_had_advance_hypervisor, NULL, BW_STR("host-1"), 1.0);
  CHECK(bw_had_advance_hypervisor(had, BW_STR("unknown"), 1e9, &error) == BW_OK && error == NULL);
  double time = 1e9;
  feed(had, &time, 50, 20.0);
  bw_had_notice kind = BW_HAD_NOTICE_CLOCK_STEP;
  CHECK(bw_had_next_notice(had, &kind).data == NULL && bw_had_next_notice(NULL, &kind).data == NULL);
  CHECK(kind == BW_HAD_NOTICE_CLOCK_STEP);
  CHECK(bw_detector_advance(had, time - 10.0, NULL) == BW_OK);
  for (int i = 0; i < 40; i++)
    CHECK(outcome_of(had, sample("vm-0", time + 1e6 + 10.0 * i, 20.0)) == BW_HAD_OUTCOME_SET_ASIDE);
  bw_string message = bw_had_next_notice(had, &kind);
  CHECK(kind == BW_HAD_NOTICE_VM_CLOCK && has(message, "vm-0"));
  CHECK(bw_had_next_notice(had, NULL).data == NULL);
  CHECK(bw_had_advance_hypervisor(had, BW_STR("host-1"), time + 1000.0, NULL) == BW_OK);
  bw_event *event = bw_detector_next_event(had);
  CHECK(event != NULL && says(event, "event", "hypervisor_silence"));
  bw_event_free(event);
  bw_detector_free(had);
}

/* A hypervisor in maintenance, by the times of the samples. */
static void maintenance(void) {
  bw_detector *had = detector("had");
  bw_error *error = NULL;
  bw_had_window window = {.size = sizeof window, .from = 77.0};
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_had_mask_hypervisor, NULL, BW_STR("host-1"), 1.0, 2.0);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_had_unmask_hypervisor, NULL, BW_STR("host-1"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_had_window_at, NULL, 0, &window);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "hypervisor is NULL", bw_had_mask_hypervisor, had, NULL, 6, 1.0, 2.0);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "hypervisor is not UTF-8", bw_had_unmask_hypervisor, had, BW_STR(NOT_UTF8));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "has 0 bytes", bw_had_mask_hypervisor, had, BW_STR(""), 1.0, 2.0);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "the end is not after", bw_had_mask_hypervisor, had, BW_STR("host-1"), 2.0, 2.0);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "the start is not a time", bw_had_mask_hypervisor, had, BW_STR("host-1"), NAN, 2.0);
  CHECK_FAILS(BW_NOT_FOUND, "there is no window 0 of 0", bw_had_window_at, had, 0, &window);
  CHECK(bw_had_window_count(had) == 0 && bw_had_window_count(NULL) == 0 && window.from == 77.0);

  double time = 1e9;
  CHECK(bw_had_mask_hypervisor(had, BW_STR("host-*"), time + 1000.0, time + 2000.0, &error) == BW_OK && error == NULL);
  CHECK(bw_had_mask_hypervisor(had, BW_STR("host-*"), time + 1500.0, time + 3000.0, NULL) == BW_OK);
  CHECK(bw_had_mask_hypervisor(had, BW_STR("a"), 1.0, 2.0, NULL) == BW_OK);
  CHECK(bw_had_window_count(had) == 2);
  CHECK(bw_had_window_at(had, 1, &window, &error) == BW_OK && error == NULL);
  CHECK(is(window.hypervisor, "host-*") && window.from == time + 1000.0 && window.until == time + 3000.0);

  feed(had, &time, 100, 20.0);
  CHECK(outcome_of(had, sample("vm-0", time, 20.0)) == BW_HAD_OUTCOME_MASKED);
  feed(had, &time, 50, 1.0);
  bw_had_status status = {.size = sizeof status};
  CHECK(bw_had_status_count(had) == 1 && bw_had_status_at(had, 0, &status, NULL) == BW_OK);
  CHECK(status.masked && !status.raised && counter(had, "masked") > 300);
  CHECK(bw_detector_next_event(had) == NULL);
  CHECK(bw_had_unmask_hypervisor(had, BW_STR("host-*"), &error) == BW_OK && error == NULL);
  CHECK(bw_had_unmask_hypervisor(had, BW_STR("unknown"), NULL) == BW_OK);
  CHECK(bw_had_window_count(had) == 1);
  CHECK(outcome_of(had, sample("vm-0", time, 20.0)) == BW_HAD_OUTCOME_TAKEN);
  bw_detector_free(had);
}

int main(void) {
  null_detector();
  bw_detector *had = detector("had");
  CHECK(had != NULL);
  wrong_arguments(had);
  bw_detector_free(had);
  another_kind();
  outcomes();
  statuses();
  time_of_one();
  maintenance();
  return 0;
}
