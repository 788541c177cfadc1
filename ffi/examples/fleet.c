/* Feeds the CPU use of eight VMs on one host, a sample every ten seconds, and prints the events. After 800 seconds all work on the
 * host takes three times as long; 150 seconds later it is as before.
 *
 *   cc fleet.c -o fleet $(pkg-config --cflags --libs bellwether) && ./fleet
 */
#include <bellwether.h>
#include <stdio.h>
#include <string.h>

enum { VMS = 8, TICKS = 300, FAULT = 80, END = 95 };

/* Prints why a call failed. */
static int failed(bw_error *error) {
  fprintf(stderr, "%s\n", bw_error_message(error).data);
  bw_error_free(error);
  return 1;
}

/* Prints all fields of an event. */
static void print(const bw_event *event) {
  for (size_t i = 0; i < bw_event_field_count(event); i++) {
    bw_field field = {.size = sizeof field};
    if (bw_event_field(event, i, &field, NULL) == BW_OK)
      printf("%.*s=%.*s ", (int)field.key.size, field.key.data, (int)field.text.size, field.text.data);
  }
  printf("\n");
}

int main(void) {
  bw_error *error = NULL;
  bw_options *options = bw_options_new(BW_STR("had"), &error);
  if (options == NULL) return failed(error);
  if (bw_options_set(options, BW_STR("false_alarms_per_month"), BW_STR("0.1"), &error) != BW_OK) return failed(error);
  bw_detector *had = bw_detector_new(options, &error);
  bw_options_free(options);
  if (had == NULL) return failed(error);

  unsigned noise = 1;
  for (int tick = 0; tick < TICKS; tick++) {
    for (int vm = 0; vm < VMS; vm++) {
      char name[16];
      noise = noise * 1103515245u + 12345u;
      bw_had_observation sample = {.size = sizeof sample, .hypervisor = {BW_STR("host-1")}, .metric = {BW_STR("cpu")}};
      sample.vm.data = name;
      sample.vm.size = (size_t)snprintf(name, sizeof name, "vm-%d", vm);
      sample.time = 1700000000.0 + 10.0 * tick;
      sample.interval = 10.0;
      sample.value = (tick >= FAULT && tick < END ? 60.0 : 20.0) + (double)((noise >> 16) % 100) / 100.0;
      if (bw_had_observe(had, &sample, NULL, &error) != BW_OK) return failed(error);
    }
    for (bw_event *event; (event = bw_detector_next_event(had)) != NULL; bw_event_free(event)) print(event);
  }
  bw_detector_free(had);
  return 0;
}
