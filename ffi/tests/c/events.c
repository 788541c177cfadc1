/* A fault of the host is raised and cleared, and its events can be read. */
#include "check.h"

static bool is(const bw_event *event, const char *key, const char *value) {
  const char *text = bw_event_text(event, key, strlen(key));
  return text != NULL && strcmp(text, value) == 0;
}

static double number(const bw_event *event, const char *key) {
  double number = NAN;
  bw_error *error = NULL;
  CHECK(bw_event_number(event, key, strlen(key), &number, &error) == BW_OK);
  CHECK(error == NULL);
  return number;
}

static void null_event(void) {
  const char *key = "mine", *value = "mine";
  double number = 77.0;
  bw_event_free(NULL);
  CHECK(bw_event_json(NULL) == NULL);
  CHECK(bw_event_field_count(NULL) == 0);
  CHECK(bw_event_text(NULL, STR("time")) == NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_event is NULL", bw_event_field, NULL, 0, &key, &value);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_event is NULL", bw_event_number, NULL, STR("time"), &number);
  CHECK(strcmp(key, "mine") == 0 && strcmp(value, "mine") == 0 && number == 77.0);
}

static void fields(const bw_event *event) {
  size_t count = bw_event_field_count(event);
  CHECK(count >= 9);
  const char *json = bw_event_json(event);
  CHECK(json[0] == '{' && json[strlen(json) - 1] == '}' && strchr(json, '\n') == NULL);
  const char *key = NULL, *value = NULL;
  for (size_t i = 0; i < count; i++) {
    bw_error *error = NULL;
    CHECK(bw_event_field(event, i, &key, &value, &error) == BW_OK && error == NULL);
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    CHECK(strstr(json, quoted) != NULL);
    CHECK(is(event, key, value));
  }
  const char *always[] = {"event",      "schema", "time",    "state", "severity",
                          "hypervisor", "score",  "message", "since"};
  for (size_t i = 0; i < sizeof always / sizeof *always; i++) CHECK(bw_event_text(event, always[i], strlen(always[i])) != NULL);

  CHECK_FAILS(BW_NOT_FOUND, "there is no field", bw_event_field, event, count, &key, &value);
  CHECK_FAILS(BW_NOT_FOUND, "there is no field", bw_event_field, event, (size_t)-1, &key, &value);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "key is NULL", bw_event_field, event, 0, NULL, &value);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "value is NULL", bw_event_field, event, 0, &key, NULL);

  CHECK(bw_event_text(event, NULL, 4) == NULL);
  CHECK(bw_event_text(event, STR("no such key")) == NULL);
  CHECK(bw_event_text(event, STR("")) == NULL);
  CHECK(bw_event_text(event, STR(NOT_UTF8)) == NULL);
  CHECK(bw_event_text(event, "time???", 4) != NULL);

  double got = 77.0;
  CHECK_FAILS(BW_NOT_FOUND, "no key \"nothing\"", bw_event_number, event, STR("nothing"), &got);
  CHECK_FAILS(BW_NOT_FOUND, "\"hypervisor\" is a text", bw_event_number, event, STR("hypervisor"), &got);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "key is NULL", bw_event_number, event, NULL, 4, &got);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "key is not UTF-8", bw_event_number, event, STR(NOT_UTF8), &got);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "number is NULL", bw_event_number, event, STR("time"), NULL);
  CHECK(got == 77.0);
}

int main(void) {
  null_event();
  bw_had *had = bw_had_new(NULL, NULL);
  double time = 1700000000.0;
  feed(had, &time, 80, 20.0);
  CHECK(bw_had_next_event(had) == NULL);

  /* All VMs of the host jump to three times what they did. */
  double fault = time;
  feed(had, &time, 15, 60.0);
  bw_event *raised = bw_had_next_event(had);
  CHECK(raised != NULL);
  CHECK(bw_had_next_event(had) == NULL);
  CHECK(is(raised, "event", "hypervisor_anomaly") && is(raised, "state", "raised"));
  CHECK(is(raised, "hypervisor", "host-1") && is(raised, "metric", "cpu") && is(raised, "direction", "up"));
  CHECK(number(raised, "schema") == 1.0 && number(raised, "vms") == 8.0);
  CHECK(number(raised, "time") >= fault && number(raised, "time") < time);
  CHECK(number(raised, "score") >= 0.5 && number(raised, "score") <= 1.0);
  CHECK(strlen(bw_event_text(raised, STR("message"))) <= 255);
  fields(raised);

  CHECK(bw_had_status_count(had) == 1);
  bw_status status = {.size = sizeof status};
  CHECK(bw_had_status(had, 0, &status, NULL) == BW_OK && status.raised);

  /* The fault goes; the incident ends after enough quiet samples. */
  feed(had, &time, 150, 20.0);
  bw_event *cleared = bw_had_next_event(had);
  CHECK(cleared != NULL);
  CHECK(is(cleared, "event", "hypervisor_anomaly") && is(cleared, "state", "cleared") && is(cleared, "severity", "okay"));
  CHECK(number(cleared, "since") == number(raised, "time"));
  fields(cleared);
  CHECK(bw_had_next_event(had) == NULL);

  /* Events outlive their detector. */
  bw_had_free(had);
  CHECK(is(raised, "state", "raised"));
  bw_event_free(raised);
  bw_event_free(cleared);
  return 0;
}
