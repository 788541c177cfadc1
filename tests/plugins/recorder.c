/*
 * A collectd plugin for tests: appends every notification, and every value of the plugin "bellwether", to a file.
 *
 *   <Plugin "recorder">
 *     Notifications "PATH"   headers, metadata and message, each notification ended by a form feed
 *     Values "PATH"          "PLUGIN_INSTANCE/TYPE-TYPE_INSTANCE TIME VALUE", one a line
 *   </Plugin>
 */
#include <pthread.h>
#include <stdbool.h>

#include "collectd.h"
#include "plugin.h"

static FILE *notifications;
static FILE *values;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int config(oconfig_item_t *block) {
  for (int i = 0; i < block->children_num; i++) {
    const oconfig_item_t *item = &block->children[i];
    FILE **file = strcasecmp(item->key, "Notifications") == 0 ? &notifications : &values;
    *file = fopen(item->values[0].value.string, "a");
    if (*file == NULL)
      return -1;
  }
  return 0;
}

static int record_notification(const notification_t *n, user_data_t *data) {
  (void)data;
  pthread_mutex_lock(&lock);
  fprintf(notifications, "Severity: %s\nTime: %.3f\nHost: %s\nPlugin: %s\nPluginInstance: %s\nType: %s\nTypeInstance: %s\n",
          n->severity == NOTIF_FAILURE ? "FAILURE" : n->severity == NOTIF_WARNING ? "WARNING" : "OKAY",
          CDTIME_T_TO_DOUBLE(n->time), n->host, n->plugin, n->plugin_instance, n->type, n->type_instance);
  for (const notification_meta_t *meta = n->meta; meta != NULL; meta = meta->next)
    if (meta->type == NM_TYPE_STRING)
      fprintf(notifications, "%s: %s\n", meta->name, meta->nm_value.nm_string);
  fprintf(notifications, "\n%s\n\f", n->message);
  fflush(notifications);
  pthread_mutex_unlock(&lock);
  return 0;
}

static int record_value(const data_set_t *ds, const value_list_t *vl, user_data_t *data) {
  (void)ds;
  (void)data;
  if (strcmp(vl->plugin, "bellwether") != 0)
    return 0;
  pthread_mutex_lock(&lock);
  fprintf(values, "%s/%s-%s %.3f %.6g\n", vl->plugin_instance, vl->type, vl->type_instance, CDTIME_T_TO_DOUBLE(vl->time),
          vl->values[0].gauge);
  fflush(values);
  pthread_mutex_unlock(&lock);
  return 0;
}

static int init(void) {
  if (notifications != NULL)
    plugin_register_notification("recorder", record_notification, NULL);
  if (values != NULL)
    plugin_register_write("recorder", record_value, NULL);
  return 0;
}

void module_register(void) {
  plugin_register_complex_config("recorder", config);
  plugin_register_init("recorder", init);
}
