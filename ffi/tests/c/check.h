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

/* A literal as pointer and length. */
#define STR(literal) (literal), (sizeof(literal) - 1)

/* Checks that a call with `error` as its last argument fails with `code`, gives a message that has `part` in it, and fails
 * in the same way where nobody asks for the message. */
#define CHECK_FAILS(code, part, ...)                                            \
  do {                                                                          \
    bw_error *failed = NULL;                                                    \
    CHECK(LAST(__VA_ARGS__, &failed) == (code));                                \
    CHECK(failed != NULL && bw_error_code(failed) == (code));                   \
    if (strstr(bw_error_message(failed), (part)) == NULL) {                     \
      fprintf(stderr, "%s:%d: no \"%s\" in \"%s\"\n", __FILE__, __LINE__, part, \
              bw_error_message(failed));                                        \
      exit(1);                                                                  \
    }                                                                           \
    bw_error_free(failed);                                                      \
    CHECK(LAST(__VA_ARGS__, NULL) == (code));                                   \
  } while (0)
#define LAST(function, ...) function(__VA_ARGS__)

/* Bytes that are no UTF-8. */
#define NOT_UTF8 "vm-\xff\xfe"

/* A sample of `vm` on "host-1". */
static inline bw_observation sample(const char *vm, double time, double value) {
  bw_observation o;
  memset(&o, 0, sizeof o);
  o.size = sizeof o;
  o.hypervisor = "host-1";
  o.hypervisor_len = 6;
  o.vm = vm;
  o.vm_len = strlen(vm);
  o.metric = "cpu";
  o.metric_len = 3;
  o.time = time;
  o.interval = 10.0;
  o.value = value;
  return o;
}

/* Lets eight VMs of "host-1" report `ticks` samples, ten seconds apart from `*time` on, of about `level` percent. */
static inline void feed(bw_had *had, double *time, int ticks, double level) {
  static unsigned noise = 12345;
  for (int tick = 0; tick < ticks; tick++, *time += 10.0) {
    for (int vm = 0; vm < 8; vm++) {
      char name[8];
      snprintf(name, sizeof name, "vm-%d", vm);
      noise = noise * 1103515245u + 12345u;
      double value = level * (1.0 + 0.02 * vm + 0.05 * ((noise >> 16) % 1000) / 1000.0);
      bw_observation o = sample(name, *time, value);
      CHECK(bw_had_observe(had, &o, NULL, NULL) == BW_OK);
    }
  }
}

#endif
