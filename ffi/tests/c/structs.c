/* Every struct that may grow is accepted from every version of a program, by every function that takes it. */
#include "check.h"

/* The sizes of the structs in the first version of the interface. Programs that were compiled with it exist: these numbers never
 * change. A struct that is added later is added here with its first size. */
enum {
  OPTION_INFO = 120,
  FIELD = 64,
  HAD_OBSERVATION = 80,
  HAD_BATCH = 88,
  HAD_STATUS = 88,
  HAD_WINDOW = 40,
  LAD_RECORD = 104,
  LAD_OBSERVED = 72,
  LAD_BATCH = 128,
  LAD_TEXT_FEEDBACK = 64,
  LAD_STATUS = 48,
  QUESTION_INFO = 88,
  RISK_OBSERVATION = 48,
  RISK_OBSERVED = 32,
  RISK_STATUS = 104,
  DRAIN_ADDED = 24,
  RESOURCE_OBSERVATION = 56,
  RESOURCE_OBSERVED = 208,
  RESOURCE_STATUS = 240,
};

enum { LARGEST = 4096 };

/* A struct in memory that has just as many bytes as its program says. */
static void *copy(const void *known, size_t known_size, size_t size) {
  uint8_t *copy = calloc(1, size > known_size ? size : known_size);
  CHECK(copy != NULL);
  memcpy(copy, known, known_size);
  uint8_t *exact = calloc(1, size);
  CHECK(exact != NULL);
  memcpy(exact, copy, size);
  memcpy(exact, &size, sizeof size);
  free(copy);
  return exact;
}

/* `call` takes a struct of another size as `it`, with `error` as its last argument. */
#define ACCEPTS(value, bytes, ...)                              \
  do {                                                          \
    void *it = copy(&(value), sizeof(value), (bytes));          \
    bw_error *error = NULL;                                     \
    CHECK(LAST(__VA_ARGS__, &error) == BW_OK && error == NULL); \
    free(it);                                                   \
  } while (0)
#define REFUSES(part, value, bytes, ...)                                                    \
  do {                                                                                      \
    size_t wrong_size = (bytes);                                                            \
    void *it = copy(&(value), sizeof(value), wrong_size < LARGEST ? LARGEST : wrong_size);  \
    memcpy(it, &wrong_size, sizeof wrong_size);                                             \
    CHECK_FAILS(BW_INVALID_ARGUMENT, part, __VA_ARGS__);                                    \
    free(it);                                                                               \
  } while (0)

/* The sizes that every struct is accepted and refused with: those of the first version, of this one and of later ones; and
 * one that is too small, one that is garbage, one that ends within a field. */
#define ANY_SIZE(first, value, ...)                                    \
  do {                                                                 \
    CHECK(sizeof(value) >= (first));                                   \
    ACCEPTS(value, first, __VA_ARGS__);                                \
    ACCEPTS(value, sizeof(value), __VA_ARGS__);                        \
    ACCEPTS(value, sizeof(value) + 8, __VA_ARGS__);                    \
    ACCEPTS(value, LARGEST, __VA_ARGS__);                              \
    REFUSES(".size is ", value, (first)-8, __VA_ARGS__);               \
    REFUSES(".size is 0;", value, 0, __VA_ARGS__);                     \
    REFUSES(".size is 4104;", value, LARGEST + 8, __VA_ARGS__);        \
    REFUSES(".size is ", value, sizeof(value) + 4, __VA_ARGS__);       \
  } while (0)

/* What a later version of a struct has in a field that this library does not know: it is refused unless it is zero. */
#define REFUSES_UNKNOWN(value, ...)                                                              \
  do {                                                                                           \
    size_t bytes = sizeof(value) + 64;                                                           \
    for (size_t at = sizeof(value); at < bytes; at++) {                                          \
      uint8_t *unknown = copy(&(value), sizeof(value), bytes);                                   \
      unknown[at] = 1;                                                                           \
      void *it = unknown;                                                                        \
      CHECK_FAILS(BW_INVALID_ARGUMENT, "is set and unknown to this version", __VA_ARGS__);       \
      free(it);                                                                                  \
    }                                                                                            \
  } while (0)

/* A program that knows less than the library gets no more than it knows; what a later one has beyond is left as it is. */
#define FILLS_NO_MORE(first, value, ...)                                         \
  do {                                                                           \
    uint8_t room[LARGEST];                                                       \
    size_t sizes[] = {(first), sizeof(value), sizeof(value) + 64};               \
    for (int i = 0; i < 3; i++) {                                                \
      memset(room, 0x77, sizeof room);                                           \
      memcpy(room, &sizes[i], sizeof sizes[i]);                                  \
      void *it = room;                                                           \
      CHECK(LAST(__VA_ARGS__, NULL) == BW_OK);                                   \
      CHECK(memcmp(room, &sizes[i], sizeof sizes[i]) == 0);                      \
      size_t filled = sizes[i] < sizeof(value) ? sizes[i] : sizeof(value);       \
      for (size_t at = filled; at < sizeof room; at++) CHECK(room[at] == 0x77);  \
    }                                                                            \
  } while (0)

static void options(void) {
  bw_options *options = bw_options_new(BW_STR("had"), NULL);
  bw_option_info info = {.size = sizeof info};
  ANY_SIZE(OPTION_INFO, info, bw_options_describe, options, 0, it);
  FILLS_NO_MORE(OPTION_INFO, info, bw_options_describe, options, 0, it);
  bw_options_free(options);
}

static void had(void) {
  bw_detector *had = detector("had");
  bw_had_observation o = sample("vm", 1e9, 1.0);
  ANY_SIZE(HAD_OBSERVATION, o, bw_had_observe, had, it, NULL);
  REFUSES_UNKNOWN(o, bw_had_observe, had, it, NULL);
  CHECK(counter(had, "taken") == 1 && counter(had, "duplicate") == 3);

  const char *text = "host-1vmcpu";
  bw_span hypervisor = {0, 6}, vm = {6, 2}, metric = {8, 3};
  double time = 1e9 + 10, value = 1.0;
  bw_had_batch batch = {.size = sizeof batch, .count = 1, .text = string(text), .times = &time, .values = &value};
  batch.hypervisors = &hypervisor, batch.vms = &vm, batch.metrics = &metric;
  ANY_SIZE(HAD_BATCH, batch, bw_had_observe_many, had, it, NULL);
  REFUSES_UNKNOWN(batch, bw_had_observe_many, had, it, NULL);
  CHECK(counter(had, "taken") == 2 && counter(had, "duplicate") == 6);

  CHECK(bw_had_status_count(had) == 1);
  bw_had_status status = {.size = sizeof status};
  ANY_SIZE(HAD_STATUS, status, bw_had_status_at, had, 0, it);
  FILLS_NO_MORE(HAD_STATUS, status, bw_had_status_at, had, 0, it);

  CHECK(bw_had_mask_hypervisor(had, BW_STR("host-1"), 1e9, 2e9, NULL) == BW_OK);
  bw_had_window window = {.size = sizeof window};
  ANY_SIZE(HAD_WINDOW, window, bw_had_window_at, had, 0, it);
  FILLS_NO_MORE(HAD_WINDOW, window, bw_had_window_at, had, 0, it);
  bw_detector_free(had);
}

static void lad(void) {
  bw_detector *lad = detector("lad");
  bw_lad_record r = {.size = sizeof r, .stream = string("host-1"), .text = string("kernel panic - not syncing"), .time = 1e9};
  bw_lad_observed observed = {.size = sizeof observed};
  ANY_SIZE(LAD_RECORD, r, bw_lad_observe, lad, it, NULL);
  REFUSES_UNKNOWN(r, bw_lad_observe, lad, it, NULL);
  CHECK(counter(lad, "taken") == 4);
  ANY_SIZE(LAD_OBSERVED, observed, bw_lad_observe, lad, &r, it);
  FILLS_NO_MORE(LAD_OBSERVED, observed, bw_lad_observe, lad, &r, it);
  CHECK(counter(lad, "taken") == 11);

  bw_lad_text_feedback feedback = {.size = sizeof feedback, .template_text = string("no such template")};
  ANY_SIZE(LAD_TEXT_FEEDBACK, feedback, bw_lad_feedback_by_text, lad, it, NULL);
  REFUSES_UNKNOWN(feedback, bw_lad_feedback_by_text, lad, it, NULL);

  bw_span stream = {0, 6}, message = {6, 4};
  double time = 1e9;
  bw_lad_batch batch = {.size = sizeof batch, .count = 1, .text = string("host-1text"), .times = &time};
  batch.streams = &stream, batch.texts = &message;
  ANY_SIZE(LAD_BATCH, batch, bw_lad_observe_many, lad, it, NULL);
  REFUSES_UNKNOWN(batch, bw_lad_observe_many, lad, it, NULL);
  CHECK(counter(lad, "taken") == 15);

  CHECK(bw_lad_status_count(lad, 1e9) == 1);
  bw_lad_status status = {.size = sizeof status};
  ANY_SIZE(LAD_STATUS, status, bw_lad_status_at, lad, 0, it);
  FILLS_NO_MORE(LAD_STATUS, status, bw_lad_status_at, lad, 0, it);

  bw_event *event = bw_detector_next_event(lad);
  CHECK(event != NULL);
  bw_field field = {.size = sizeof field};
  ANY_SIZE(FIELD, field, bw_event_field, event, 0, it);
  FILLS_NO_MORE(FIELD, field, bw_event_field, event, 0, it);
  ANY_SIZE(FIELD, field, bw_event_find, event, BW_STR("time"), it);
  FILLS_NO_MORE(FIELD, field, bw_event_find, event, BW_STR("time"), it);
  bw_event_free(event);
  bw_detector_free(lad);
}

static void question(void) {
  bw_options *options = bw_options_new(BW_STR("lad"), NULL);
  CHECK(bw_options_set(options, BW_STR("questions"), BW_STR("1"), NULL) == BW_OK);
  CHECK(bw_options_set(options, BW_STR("training"), BW_STR("0"), NULL) == BW_OK);
  CHECK(bw_options_set(options, BW_STR("window_size"), BW_STR("1"), NULL) == BW_OK);
  bw_detector *lad = bw_detector_new(options, NULL);
  bw_options_free(options);
  bw_lad_record r = {.size = sizeof r, .stream = string("host-1"), .text = string("spare area low"), .time = 1e9};
  CHECK(bw_lad_observe(lad, &r, NULL, NULL) == BW_OK);
  bw_question *question = bw_lad_next_question(lad);
  CHECK(question != NULL);
  bw_question_info info = {.size = sizeof info};
  ANY_SIZE(QUESTION_INFO, info, bw_question_describe, question, it);
  FILLS_NO_MORE(QUESTION_INFO, info, bw_question_describe, question, it);
  bw_question_free(question);
  bw_detector_free(lad);
}

static void risk(void) {
  bw_detector *risk = detector("risk");
  bw_risk_observation o = {.size = sizeof o, .hypervisor = string("host-1"), .time = 1e9, .measure = 1};
  bw_risk_observed observed = {.size = sizeof observed};
  ANY_SIZE(RISK_OBSERVATION, o, bw_risk_observe, risk, it, NULL);
  REFUSES_UNKNOWN(o, bw_risk_observe, risk, it, NULL);
  CHECK(counter(risk, "taken") == 4);
  ANY_SIZE(RISK_OBSERVED, observed, bw_risk_observe, risk, &o, it);
  FILLS_NO_MORE(RISK_OBSERVED, observed, bw_risk_observe, risk, &o, it);
  CHECK(bw_risk_status_count(risk) == 1);
  bw_risk_status status = {.size = sizeof status};
  ANY_SIZE(RISK_STATUS, status, bw_risk_status_at, risk, 0, it);
  FILLS_NO_MORE(RISK_STATUS, status, bw_risk_status_at, risk, 0, it);
  bw_detector_free(risk);
}

static void drain(void) {
  bw_detector *drain = detector("drain");
  bw_drain_added added = {.size = sizeof added};
  ANY_SIZE(DRAIN_ADDED, added, bw_drain_add, drain, BW_STR("line"), it);
  FILLS_NO_MORE(DRAIN_ADDED, added, bw_drain_add, drain, BW_STR("line"), it);
  CHECK(counter(drain, "lines") == 7);
  bw_detector_free(drain);
}

static void resource(void) {
  bw_detector *resource = detector("resource");
  double values[3] = {0.5, NAN, 0.1};
  bw_resource_observation row = {.size = sizeof row, .hypervisor = "host-1", .hypervisor_len = 6, .time = 1e9};
  row.values = values, row.values_len = 3;
  ANY_SIZE(RESOURCE_OBSERVATION, row, bw_resource_observe, resource, it, NULL);
  REFUSES_UNKNOWN(row, bw_resource_observe, resource, it, NULL);
  CHECK(counter(resource, "taken") == 1 && counter(resource, "duplicate") == 3);
  bw_resource_observed observed = {.size = sizeof observed};
  ANY_SIZE(RESOURCE_OBSERVED, observed, bw_resource_observe, resource, &row, it);
  FILLS_NO_MORE(RESOURCE_OBSERVED, observed, bw_resource_observe, resource, &row, it);
  CHECK(bw_resource_status_count(resource) == 1);
  bw_resource_status status = {.size = sizeof status};
  ANY_SIZE(RESOURCE_STATUS, status, bw_resource_status_at, resource, 0, it);
  FILLS_NO_MORE(RESOURCE_STATUS, status, bw_resource_status_at, resource, 0, it);
  bw_detector_free(resource);
}

int main(void) {
  options();
  had();
  lad();
  question();
  risk();
  resource();
  drain();
  return 0;
}
