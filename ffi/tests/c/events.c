/* A fault of the host is raised and cleared, and its events can be read. */
#include "check.h"

static void null_event(void) {
  bw_field mine = {.size = sizeof mine, .number = 77.0};
  bw_event_free(NULL);
  CHECK(bw_event_json(NULL).data == NULL);
  CHECK(bw_event_field_count(NULL) == 0);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_event is NULL", bw_event_field, NULL, 0, &mine);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_event is NULL", bw_event_find, NULL, BW_STR("time"), &mine);
  CHECK(mine.number == 77.0 && mine.key.data == NULL);
}

/* Every field has its place in the JSON, and its value in every form that its type has. */
static void fields(const bw_event *event) {
  size_t count = bw_event_field_count(event);
  CHECK(count >= 9);
  bw_string json = bw_event_json(event);
  CHECK(json.data[0] == '{' && json.data[json.size - 1] == '}' && json.data[json.size] == 0);
  CHECK(strlen(json.data) == json.size && strchr(json.data, '\n') == NULL);
  const char *rest = json.data;
  for (size_t i = 0; i < count; i++) {
    bw_error *error = NULL;
    bw_field f = {.size = sizeof f};
    CHECK(bw_event_field(event, i, &f, &error) == BW_OK && error == NULL && f.size == sizeof f);
    char shown[400];
    const char *quote = f.kind == BW_FIELD_TEXT ? "\"" : "";
    snprintf(shown, sizeof shown, "\"%.*s\":%s%.*s%s", (int)f.key.size, f.key.data, quote, (int)f.text.size, f.text.data, quote);
    rest = strstr(rest, shown);
    CHECK(rest != NULL);
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)f.text.size, f.text.data);
    switch (f.kind) {
      case BW_FIELD_TEXT: CHECK(f.number == 0.0 && f.integer == 0 && !f.flag); break;
      case BW_FIELD_NUMBER: CHECK(f.number == strtod(text, NULL) && f.integer == 0 && !f.flag); break;
      case BW_FIELD_INTEGER: CHECK(f.integer == strtoull(text, NULL, 10) && f.number == (double)f.integer && !f.flag); break;
      case BW_FIELD_FLAG: CHECK(f.flag == (strcmp(text, "true") == 0) && f.number == f.flag && f.integer == f.flag); break;
    }
    char key[32];
    snprintf(key, sizeof key, "%.*s", (int)f.key.size, f.key.data);
    CHECK(field(event, key).text.data == f.text.data);
  }
  CHECK(field(event, "event").kind == BW_FIELD_TEXT && field(event, "time").kind == BW_FIELD_NUMBER);
  CHECK(field(event, "schema").kind == BW_FIELD_INTEGER && field(event, "schema").integer == 1);
  const char *always[] = {"state", "severity", "hypervisor", "score", "message", "since"};
  for (size_t i = 0; i < sizeof always / sizeof *always; i++) field(event, always[i]);

  bw_field f = {.size = sizeof f, .number = 77.0};
  CHECK_FAILS(BW_NOT_FOUND, "there is no field", bw_event_field, event, count, &f);
  CHECK_FAILS(BW_NOT_FOUND, "there is no field", bw_event_field, event, (size_t)-1, &f);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_field is NULL", bw_event_field, event, 0, NULL);
  CHECK_FAILS(BW_NOT_FOUND, "no field \"nothing\"", bw_event_find, event, BW_STR("nothing"), &f);
  CHECK_FAILS(BW_NOT_FOUND, "no field \"\"", bw_event_find, event, BW_STR(""), &f);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "key is NULL", bw_event_find, event, NULL, 4, &f);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "key is not UTF-8", bw_event_find, event, BW_STR(NOT_UTF8), &f);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_field is NULL", bw_event_find, event, BW_STR("time"), NULL);
  CHECK(f.number == 77.0);
  CHECK(bw_event_find(event, "time???", 4, &f, NULL) == BW_OK && f.number > 1e9);
}

int main(void) {
  null_event();
  bw_detector *had = detector("had");
  double time = 1700000000.0;
  feed(had, &time, 80, 20.0);
  CHECK(bw_detector_next_event(had) == NULL);

  /* All VMs of the host jump to three times what they did. */
  double fault = time;
  feed(had, &time, 15, 60.0);
  bw_event *raised = bw_detector_next_event(had);
  CHECK(raised != NULL);
  CHECK(bw_detector_next_event(had) == NULL);
  CHECK(says(raised, "event", "hypervisor_anomaly") && says(raised, "state", "raised"));
  CHECK(says(raised, "hypervisor", "host-1") && says(raised, "metric", "cpu") && says(raised, "direction", "up"));
  CHECK(field(raised, "vms").integer == 8 && field(raised, "provisional").flag);
  CHECK(field(raised, "time").number >= fault && field(raised, "time").number < time);
  CHECK(field(raised, "score").number >= 0.5 && field(raised, "score").number <= 1.0);
  CHECK(field(raised, "message").text.size <= 255);
  fields(raised);

  CHECK(bw_had_status_count(had) == 1);
  bw_had_status status = {.size = sizeof status};
  CHECK(bw_had_status_at(had, 0, &status, NULL) == BW_OK && status.raised);

  /* The fault goes; the incident ends after enough quiet samples. */
  feed(had, &time, 150, 20.0);
  bw_event *cleared = bw_detector_next_event(had);
  CHECK(cleared != NULL);
  CHECK(says(cleared, "event", "hypervisor_anomaly") && says(cleared, "state", "cleared") && says(cleared, "severity", "okay"));
  CHECK(field(cleared, "since").number == field(raised, "time").number);
  fields(cleared);
  CHECK(bw_detector_next_event(had) == NULL);

  /* Events outlive their detector. */
  bw_detector_free(had);
  CHECK(says(raised, "state", "raised"));
  bw_event_free(raised);
  bw_event_free(cleared);
  return 0;
}
