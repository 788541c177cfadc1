/* The risk of hosts: observations, outcomes, statuses, events, and what a log says about its host. */
#include "check.h"

static bw_risk_observation says_of(const char *host, bw_risk_source source, double time, double measure) {
  bw_risk_observation o;
  memset(&o, 0, sizeof o);
  o.size = sizeof o;
  o.hypervisor = string(host);
  o.time = time;
  o.source = source;
  o.measure = measure;
  return o;
}

static bw_risk_observed observe(bw_detector *risk, bw_risk_observation o) {
  bw_risk_observed observed = {.size = sizeof observed};
  bw_error *error = NULL;
  CHECK(bw_risk_observe(risk, &o, &observed, &error) == BW_OK && error == NULL);
  return observed;
}

static void two_sources_raise_what_neither_raises_alone(bw_detector *risk) {
  bw_risk_observed log = observe(risk, says_of("host-1", BW_RISK_SOURCE_LOG, 1e9, 5));
  CHECK(log.outcome == BW_RISK_OBSERVE_TAKEN && !log.raised && log.risk_10min > 0.0 && log.risk_30min > log.risk_10min);
  CHECK(bw_detector_next_event(risk) == NULL);
  bw_risk_observed both = observe(risk, says_of("host-1", BW_RISK_SOURCE_HAD, 1e9, 60));
  CHECK(both.raised && both.risk_10min >= 0.5);

  bw_event *event = bw_detector_next_event(risk);
  CHECK(event != NULL);
  CHECK(says(event, "event", "failure_risk") && says(event, "state", "raised") && says(event, "hypervisor", "host-1"));
  CHECK(says(event, "calibrated", "false") && has(field(event, "sources").text, "log: failure lines in 4 to 9"));
  bw_event_free(event);

  CHECK(bw_risk_status_count(risk) == 1);
  bw_risk_status status = {.size = sizeof status};
  CHECK(bw_risk_status_at(risk, 0, &status, NULL) == BW_OK);
  CHECK(is(status.hypervisor, "host-1") && status.raised && !status.calibrated && status.time == 1e9);
  CHECK(status.state[BW_RISK_SOURCE_LOG] == 3 && status.evidence[BW_RISK_SOURCE_LOG] > 1.0);
  CHECK(status.state[BW_RISK_SOURCE_RESOURCE] < 0 && status.evidence[BW_RISK_SOURCE_RESOURCE] == 0.0);
  CHECK_FAILS(BW_NOT_FOUND, "there is no status 1", bw_risk_status_at, risk, 1, &status);
}

static void a_provisional_incident_counts_less(bw_detector *risk) {
  bw_risk_observation o = says_of("host-2", BW_RISK_SOURCE_HAD, 1e9, 60);
  double firm = observe(risk, o).risk_10min;
  o.provisional = true;
  CHECK(observe(risk, o).risk_10min < firm);
  o.measure = -1;
  CHECK(observe(risk, o).risk_10min < firm);
}

static void what_is_unknown_contributes_nothing(bw_detector *risk) {
  double unknown = observe(risk, says_of("host-3", BW_RISK_SOURCE_RESOURCE, 1e9, NAN)).risk_10min;
  CHECK(observe(risk, says_of("host-3", BW_RISK_SOURCE_RESOURCE, 1e9, 0.0005)).risk_10min > unknown);
  CHECK(bw_detector_advance(risk, 1e9 + 1e4, NULL) == BW_OK);
  CHECK(bw_risk_status_count(risk) > 0);
  bw_risk_status status = {.size = sizeof status};
  for (size_t i = 0; bw_risk_status_at(risk, i, &status, NULL) == BW_OK; i++)
    for (int source = 0; source < 4; source++) CHECK(status.state[source] < 0);
}

static void wrong_arguments(bw_detector *risk) {
  bw_risk_observation o = says_of("host-1", BW_RISK_SOURCE_LOG, 1e9, 1);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_risk_observe, NULL, &o, NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_risk_observation is NULL", bw_risk_observe, risk, NULL, NULL);
  o.source = (bw_risk_source)77;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "source is 77", bw_risk_observe, risk, &o, NULL);
  o.source = BW_RISK_SOURCE_LOG;
  o.hypervisor.data = NULL;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_risk_observation.hypervisor is NULL", bw_risk_observe, risk, &o, NULL);
  CHECK(observe(risk, says_of("", BW_RISK_SOURCE_LOG, 1e9, 1)).outcome == BW_RISK_OBSERVE_REFUSED);
  CHECK(observe(risk, says_of("host-1", BW_RISK_SOURCE_LOG, NAN, 1)).outcome == BW_RISK_OBSERVE_REFUSED);
  CHECK_FAILS(BW_NOT_FOUND, "\"nowhere\"", bw_risk_outcome, risk, BW_STR("nowhere"), 1e9, BW_RISK_FATE_FAILED);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "fate is 9", bw_risk_outcome, risk, BW_STR("host-1"), 1e9, (bw_risk_fate)9);
  CHECK(bw_risk_outcome(risk, BW_STR("host-1"), 1e9, BW_RISK_FATE_UNKNOWN, NULL) == BW_OK);
  CHECK(bw_risk_status_count(NULL) == 0);
  bw_detector *had = detector("had");
  o = says_of("host-1", BW_RISK_SOURCE_LOG, 1e9, 1);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "needs a detector \"risk\"", bw_risk_observe, had, &o, NULL);
  CHECK(bw_risk_status_count(had) == 0);
  bw_detector_free(had);
}

static void a_log_says_in_how_many_minutes_it_reported_failures(void) {
  bw_detector *lad = detector("lad");
  bw_lad_record r = {.size = sizeof r, .stream = string("host-1"), .text = string("kernel panic - not syncing")};
  for (int minute = 0; minute < 3; minute++) {
    r.time = 1e9 + 60.0 * minute;
    CHECK(bw_lad_observe(lad, &r, NULL, NULL) == BW_OK);
    CHECK(bw_lad_observe(lad, &r, NULL, NULL) == BW_OK);
  }
  CHECK(bw_lad_status_count(lad, r.time) == 1);
  bw_lad_status status = {.size = sizeof status};
  CHECK(bw_lad_status_at(lad, 0, &status, NULL) == BW_OK);
  CHECK(is(status.stream, "host-1") && status.failure_minutes == 3 && status.last == r.time && !status.has_seeds);
  CHECK(bw_lad_status_count(lad, r.time + 3600) == 1);
  CHECK(bw_lad_status_at(lad, 0, &status, NULL) == BW_OK && status.failure_minutes == 0);
  CHECK_FAILS(BW_NOT_FOUND, "there is no status 1", bw_lad_status_at, lad, 1, &status);
  CHECK(bw_lad_status_count(NULL, 1e9) == 0);
  bw_detector_free(lad);
}

int main(void) {
  bw_detector *risk = detector("risk");
  two_sources_raise_what_neither_raises_alone(risk);
  a_provisional_incident_counts_less(risk);
  what_is_unknown_contributes_nothing(risk);
  wrong_arguments(risk);
  bw_detector_free(risk);
  a_log_says_in_how_many_minutes_it_reported_failures();
  return 0;
}
