/* What the C tests share. */
#ifndef CHECK_H
#define CHECK_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bellwether.h"

/* Ends the program with a message unless `condition` holds. */
#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);   \
      exit(1);                                                                  \
    }                                                                           \
  } while (0)

/* Whether a string of the library is this text; and whether it has this text in it. */
static inline bool is(bw_string string, const char *text) {
  return string.data != NULL && string.size == strlen(text) && memcmp(string.data, text, string.size) == 0;
}
static inline bool has(bw_string string, const char *part) {
  size_t size = strlen(part);
  for (size_t i = 0; string.data != NULL && i + size <= string.size; i++)
    if (memcmp(string.data + i, part, size) == 0) return true;
  return false;
}

/* A string as a field of a struct. */
static inline bw_string string(const char *text) {
  bw_string string = {text, strlen(text)};
  return string;
}

/* Checks that a call with `error` as its last argument fails with `code`, gives a message that has `part` in it, and fails
 * in the same way where nobody asks for the message. */
#define CHECK_FAILS(code, part, ...)                                            \
  do {                                                                          \
    bw_error *failed = NULL;                                                    \
    CHECK(LAST(__VA_ARGS__, &failed) == (code));                                \
    CHECK(failed != NULL && bw_error_code(failed) == (code));                   \
    if (!has(bw_error_message(failed), (part))) {                               \
      fprintf(stderr, "%s:%d: no \"%s\" in \"%s\"\n", __FILE__, __LINE__, part, \
              bw_error_message(failed).data);                                   \
      exit(1);                                                                  \
    }                                                                           \
    bw_error_free(failed);                                                      \
    CHECK(LAST(__VA_ARGS__, NULL) == (code));                                   \
  } while (0)
#define LAST(function, ...) function(__VA_ARGS__)

/* Bytes that are no UTF-8. */
#define NOT_UTF8 "vm-\xff\xfe"

/* A sample of `vm` on "host-1". */
static inline bw_had_observation sample(const char *vm, double time, double value) {
  bw_had_observation o;
  memset(&o, 0, sizeof o);
  o.size = sizeof o;
  o.hypervisor = string("host-1");
  o.vm = string(vm);
  o.metric = string("cpu");
  o.time = time;
  o.interval = 10.0;
  o.value = value;
  return o;
}

/* Lets eight VMs of "host-1" report `ticks` samples, ten seconds apart from `*time` on, of about `level` percent. */
static inline void feed(bw_detector *had, double *time, int ticks, double level) {
  static unsigned noise = 12345;
  for (int tick = 0; tick < ticks; tick++, *time += 10.0) {
    for (int vm = 0; vm < 8; vm++) {
      char name[8];
      snprintf(name, sizeof name, "vm-%d", vm);
      noise = noise * 1103515245u + 12345u;
      double value = level * (1.0 + 0.02 * vm + 0.05 * ((noise >> 16) % 1000) / 1000.0);
      bw_had_observation o = sample(name, *time, value);
      CHECK(bw_had_observe(had, &o, NULL, NULL) == BW_OK);
    }
  }
}

/* A detector of that kind with all options at their defaults. */
static inline bw_detector *detector(const char *kind) {
  bw_options *options = bw_options_new(kind, strlen(kind), NULL);
  bw_detector *detector = bw_detector_new(options, NULL);
  CHECK(options != NULL && detector != NULL);
  bw_options_free(options);
  return detector;
}

/* The value of a counter. */
static inline uint64_t counter(const bw_detector *detector, const char *wanted) {
  bw_string name;
  uint64_t value;
  for (size_t i = 0; bw_detector_counter(detector, i, &name, &value); i++)
    if (is(name, wanted)) return value;
  fprintf(stderr, "there is no counter %s\n", wanted);
  exit(1);
}

/* The field of an event with that key, which is there. */
static inline bw_field field(const bw_event *event, const char *key) {
  bw_field field = {.size = sizeof field};
  bw_error *error = NULL;
  CHECK(bw_event_find(event, key, strlen(key), &field, &error) == BW_OK && error == NULL);
  CHECK(is(field.key, key));
  return field;
}

/* Whether an event has the field, and the text is its value as text. */
static inline bool says(const bw_event *event, const char *key, const char *text) {
  bw_field field = {.size = sizeof field};
  return bw_event_find(event, key, strlen(key), &field, NULL) == BW_OK && is(field.text, text);
}

#endif
