/* Rows of the resources of hosts: signals, rows, statuses, events, wrong arguments. */
#include "check.h"

enum { SIGNALS = 64 };

static size_t signals;
static size_t memory_used;

static void names(void) {
  bw_string unit = {NULL, 0};
  for (signals = 0; bw_resource_signal_name(signals, NULL).data != NULL; signals++) {
    if (is(bw_resource_signal_name(signals, &unit), "memory_used")) memory_used = signals;
    CHECK(unit.size > 0);
  }
  CHECK(signals > 20 && signals < SIGNALS && memory_used > 0);
  CHECK(is(bw_resource_signal_name(0, &unit), "cpu_busy") && is(unit, "share"));
}

static bw_resource_observation row(double time, const double *values) {
  bw_resource_observation row = {.size = sizeof row, .hypervisor = "host-1", .hypervisor_len = 6};
  row.time = time;
  row.interval = 60.0;
  row.values = values;
  row.values_len = signals;
  return row;
}

/* Lets the host report `minutes` rows of about the same, with that share of its memory used. */
static bw_resource_observed feed_rows(bw_detector *resource, double *time, int minutes, double memory) {
  static unsigned noise = 12345;
  bw_resource_observed observed = {.size = sizeof observed};
  for (int minute = 0; minute < minutes; minute++, *time += 60.0) {
    double values[SIGNALS];
    for (size_t i = 0; i < signals; i++) {
      noise = noise * 1103515245u + 12345u;
      values[i] = i % 3 == 0 ? NAN : 0.2 + 0.05 * ((noise >> 16) % 1000) / 1000.0;
    }
    values[memory_used] = memory;
    bw_resource_observation one = row(*time, values);
    CHECK(bw_resource_observe(resource, &one, &observed, NULL) == BW_OK);
    CHECK(observed.outcome == BW_RESOURCE_OUTCOME_TAKEN && observed.size == sizeof observed);
  }
  return observed;
}

static void wrong_arguments(bw_detector *resource) {
  double values[SIGNALS] = {0};
  bw_resource_observation one = row(1e9, values);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_resource_observe, NULL, &one, NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_resource_observation is NULL", bw_resource_observe, resource, NULL, NULL);
  one.hypervisor = NULL;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "hypervisor is NULL", bw_resource_observe, resource, &one, NULL);
  one = row(1e9, NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "values is NULL", bw_resource_observe, resource, &one, NULL);
  one = row(1e9, values);
  one.values_len = signals + 1;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "values_len is ", bw_resource_observe, resource, &one, NULL);
  one.values_len = (size_t)-1;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "values_len is ", bw_resource_observe, resource, &one, NULL);
  one = row(1e9, (const double *)((const char *)values + 1));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "aligned", bw_resource_observe, resource, &one, NULL);
  bw_detector *had = detector("had");
  one = row(1e9, values);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "needs a detector \"resource\"", bw_resource_observe, had, &one, NULL);
  CHECK(bw_resource_status_count(had) == 0 && bw_resource_status_count(NULL) == 0);
  bw_detector_free(had);
  bw_resource_status status = {.size = sizeof status};
  CHECK_FAILS(BW_NOT_FOUND, "no status 0", bw_resource_status_at, resource, 0, &status);
  one.time = NAN;
  bw_resource_observed observed = {.size = sizeof observed};
  CHECK(bw_resource_observe(resource, &one, &observed, NULL) == BW_OK);
  CHECK(observed.outcome == BW_RESOURCE_OUTCOME_REFUSED && isnan(observed.p_value) && observed.deciding_count == 0);
}

/* Memory that fills up is found, explained and reported; another detector goes on with what was learned. */
static void anomaly(bw_detector *resource) {
  double time = 1e9;
  bw_resource_observed observed = feed_rows(resource, &time, 2000, 0.5);
  CHECK(observed.p_value > 0.0 && observed.p_value <= 1.0 && !observed.raised);
  bw_snapshot *snapshot = bw_detector_save_bytes(resource, NULL);
  CHECK(snapshot != NULL);
  bw_detector *other = detector("resource");
  size_t size = bw_snapshot_size(snapshot);
  uint8_t *bytes = malloc(size);
  CHECK(bytes != NULL && bw_snapshot_copy(snapshot, 0, bytes, size) == size);
  CHECK(bw_detector_load_bytes(other, bytes, size, NULL) == BW_OK);
  free(bytes);
  bw_snapshot_free(snapshot);
  observed = feed_rows(other, &time, 5, 0.99);
  CHECK(observed.raised && observed.score >= 0.5 && observed.p_value < 0.001);
  CHECK(observed.deciding_count > 0 && observed.deciding[0].signal == memory_used);
  CHECK(observed.deciding[0].deviation > 5.0 && observed.deciding[0].value == 0.99);

  CHECK(bw_resource_status_count(other) == 1);
  bw_resource_status status = {.size = sizeof status};
  CHECK(bw_resource_status_at(other, 0, &status, NULL) == BW_OK);
  CHECK(is(status.hypervisor, "host-1") && status.time == time - 60.0 && status.interval == 60.0);
  CHECK(status.raised && !status.provisional && status.p_value == observed.p_value);
  CHECK(status.deciding_count == observed.deciding_count && status.deciding[0].signal == memory_used);

  bw_event *event = bw_detector_next_event(other);
  while (event != NULL && !says(event, "metric", "memory_used")) {
    bw_event_free(event);
    event = bw_detector_next_event(other);
  }
  CHECK(event != NULL && says(event, "event", "resource_anomaly") && says(event, "severity", "warning"));
  CHECK(has(field(event, "signals").text, "memory_used +") && field(event, "p_value").number < 0.001);
  bw_event_free(event);
  CHECK(counter(other, "anomalies") == 1 && counter(other, "hypervisors") == 1);
  bw_detector_free(other);
}

int main(void) {
  names();
  bw_detector *resource = detector("resource");
  wrong_arguments(resource);
  anomaly(resource);
  bw_detector_free(resource);
  return 0;
}
