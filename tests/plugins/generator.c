/*
 * A collectd plugin for measurements: makes values inside the daemon, as fast as they are taken. It counts what comes back
 * to its own write callback, which is the cheapest writer there can be.
 *
 *   <Plugin "generator">
 *     Hypervisors N          how many hosts
 *     VMs N                  how many VMs each of them has
 *     Result "PATH"          where answers are appended, one a line
 *   </Plugin>
 *
 * It works on a notification of the plugin "generator", whose message is one of
 *   dispatch TYPE TICKS      dispatches TICKS intervals of all VMs, and returns when all were written
 *   direct WRITER TYPE COUNT calls a writer's callback COUNT times on this thread; answers with nanoseconds a call
 * TYPE is "virt_cpu_total", of the plugin "virt", or "cpu", of the plugin "cpu".
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "collectd.h"
#include "plugin.h"
#include "utils/common/common.h"

/* So many values may wait in collectd's queue. */
#define BACKLOG 20000

static size_t hypervisors = 1;
static size_t vms = 1;
static char result[1024];
static value_list_t *lists;
static derive_t *counters;
static cdtime_t now;
static uint64_t random_state = 88172645463325252ull;
static atomic_ulong written;

static int config(oconfig_item_t *block) {
  for (int i = 0; i < block->children_num; i++) {
    const oconfig_item_t *item = &block->children[i];
    if (strcasecmp(item->key, "Hypervisors") == 0)
      hypervisors = (size_t)item->values[0].value.number;
    else if (strcasecmp(item->key, "VMs") == 0)
      vms = (size_t)item->values[0].value.number;
    else
      sstrncpy(result, item->values[0].value.string, sizeof(result));
  }
  return 0;
}

static double unit(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (double)(random_state >> 11) / 9007199254740992.0;
}

/* Names all values as those of `type`. */
static void name(const char *type) {
  for (size_t i = 0; i < hypervisors * vms; i++) {
    value_list_t *vl = &lists[i];
    snprintf(vl->host, sizeof(vl->host), "hv%04zu", i / vms);
    sstrncpy(vl->plugin, strcmp(type, "cpu") == 0 ? "cpu" : "virt", sizeof(vl->plugin));
    snprintf(vl->plugin_instance, sizeof(vl->plugin_instance), "vm%02zu", i % vms);
    sstrncpy(vl->type, type, sizeof(vl->type));
    vl->values = (value_t *)&counters[i];
    vl->values_len = 1;
    vl->interval = TIME_T_TO_CDTIME_T(10);
  }
}

/* Lets ten seconds pass. */
static void tick(void) {
  now += TIME_T_TO_CDTIME_T(10);
  for (size_t i = 0; i < hypervisors * vms; i++) {
    double percent = (20.0 + (double)(i % 37)) * (0.9 + 0.2 * unit());
    counters[i] += (derive_t)(percent * 1e8);
    lists[i].time = now;
  }
}

static void dispatch(const char *type, size_t ticks) {
  const size_t count = hypervisors * vms;
  unsigned long sent = 0;
  const unsigned long before = atomic_load(&written);
  name(type);
  for (size_t t = 0; t < ticks; t++) {
    tick();
    for (size_t i = 0; i < count; i++) {
      while (sent - (atomic_load(&written) - before) >= BACKLOG)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
      plugin_dispatch_values(&lists[i]);
      sent++;
    }
  }
  while (atomic_load(&written) - before < sent)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void direct(const char *writer, const char *type, size_t count) {
  name(type);
  const data_set_t *ds = plugin_get_ds(type);
  struct timespec begin, end;
  double ns = 0;
  for (size_t done = 0; done < count;) {
    tick();
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (size_t i = 0; i < hypervisors * vms && done < count; i++, done++)
      plugin_write(writer, ds, &lists[i]);
    clock_gettime(CLOCK_MONOTONIC, &end);
    ns += (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
  }
  FILE *file = fopen(result, "a");
  if (file != NULL) {
    fprintf(file, "%.1f\n", ns / (double)count);
    fclose(file);
  }
}

static int on_notification(const notification_t *n, user_data_t *data) {
  (void)data;
  if (strcmp(n->plugin, "generator") != 0)
    return 0;
  char writer[64], type[64];
  size_t count;
  if (sscanf(n->message, "dispatch %63s %zu", type, &count) == 2)
    dispatch(type, count);
  else if (sscanf(n->message, "direct %63s %63s %zu", writer, type, &count) == 3)
    direct(writer, type, count);
  return 0;
}

static int on_value(const data_set_t *ds, const value_list_t *vl, user_data_t *data) {
  (void)ds;
  (void)data;
  /* The values that the plugin under test dispatches itself are not ours. */
  if (vl->plugin[0] == 'v' || vl->plugin[0] == 'c')
    atomic_fetch_add(&written, 1);
  return 0;
}

static int init(void) {
  now = TIME_T_TO_CDTIME_T(1600000000);
  lists = calloc(hypervisors * vms, sizeof(*lists));
  counters = calloc(hypervisors * vms, sizeof(*counters));
  if (lists == NULL || counters == NULL)
    return -1;
  plugin_register_notification("generator", on_notification, NULL);
  return plugin_register_write("counting", on_value, NULL);
}

void module_register(void) {
  plugin_register_complex_config("generator", config);
  plugin_register_init("generator", init);
}
