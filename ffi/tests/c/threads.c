/* A detector goes from thread to thread, detectors are independent, and an event is read by many threads at once. */
#include <pthread.h>

#include "check.h"

enum { THREADS = 4, TURNS = 20, TICKS = 2 };

static struct {
  pthread_mutex_t turn;
  bw_detector *had;
  double time;
} shared = {.turn = PTHREAD_MUTEX_INITIALIZER};

/* Takes turns at the one detector. */
static void *take_turns(void *unused) {
  for (int i = 0; i < TURNS; i++) {
    CHECK(pthread_mutex_lock(&shared.turn) == 0);
    feed(shared.had, &shared.time, TICKS, 20.0);
    CHECK(bw_had_status_count(shared.had) == 1);
    CHECK(pthread_mutex_unlock(&shared.turn) == 0);
  }
  return unused;
}

/* Works with a detector of its own, and fails now and then. */
static void *alone(void *unused) {
  bw_options *options = bw_options_new(BW_STR("had"), NULL);
  bw_detector *had = bw_detector_new(options, NULL);
  for (int i = 0; i < 200; i++) {
    bw_had_observation o = sample("vm", 1e9 + 10.0 * i, 5.0);
    CHECK(bw_had_observe(had, &o, NULL, NULL) == BW_OK);
    CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_had_observation is NULL", bw_had_observe, had, NULL, NULL);
    bw_option_info info = {.size = sizeof info};
    CHECK(bw_options_describe(options, 0, &info, NULL) == BW_OK && is(info.name, "algorithm"));
  }
  bw_options_free(options);
  bw_detector_free(had);
  return unused;
}

static void *read_event(void *event) {
  for (int i = 0; i < 100; i++) {
    CHECK(says(event, "hypervisor", "host-1") && has(bw_event_json(event), "\"host-1\""));
    CHECK(field(event, "score").number >= 0.5);
  }
  return NULL;
}

static void run(void *(*body)(void *), void *argument) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, body, argument) == 0);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

int main(void) {
  run(alone, NULL);

  shared.had = detector("had");
  shared.time = 1700000000.0;
  run(take_turns, NULL);
  CHECK(counter(shared.had, "taken") == THREADS * TURNS * TICKS * 8u);

  feed(shared.had, &shared.time, 15, 60.0);
  bw_event *event = bw_detector_next_event(shared.had);
  CHECK(event != NULL);
  bw_detector_free(shared.had);
  run(read_event, event);
  bw_event_free(event);
  return 0;
}
