/*
 * A collectd plugin for tests: a writer, and a listener for notifications, that hang as one does whose server is gone.
 *
 *   <Plugin "hanging">
 *     Write SECONDS          how long each value of the plugin "hang" takes; other values pass at once
 *     Notification SECONDS   how long each notification of the plugin "bellwether" takes
 *   </Plugin>
 */
#include <stdbool.h>
#include <time.h>

#include "collectd.h"
#include "plugin.h"

static double write_sec;
static double notification_sec;

static void hang(double seconds) {
  struct timespec time = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (time_t)seconds) * 1e9)};
  nanosleep(&time, NULL);
}

static int config(oconfig_item_t *block) {
  for (int i = 0; i < block->children_num; i++) {
    const oconfig_item_t *item = &block->children[i];
    double *seconds = strcasecmp(item->key, "Write") == 0 ? &write_sec : &notification_sec;
    *seconds = item->values[0].value.number;
  }
  return 0;
}

static int on_value(const data_set_t *ds, const value_list_t *vl, user_data_t *data) {
  (void)ds;
  (void)data;
  if (strcmp(vl->plugin, "hang") == 0)
    hang(write_sec);
  return 0;
}

static int on_notification(const notification_t *n, user_data_t *data) {
  (void)data;
  if (strcmp(n->plugin, "bellwether") == 0)
    hang(notification_sec);
  return 0;
}

static int init(void) {
  if (write_sec > 0)
    plugin_register_write("hanging", on_value, NULL);
  if (notification_sec > 0)
    plugin_register_notification("hanging", on_notification, NULL);
  return 0;
}

void module_register(void) {
  plugin_register_complex_config("hanging", config);
  plugin_register_init("hanging", init);
}
