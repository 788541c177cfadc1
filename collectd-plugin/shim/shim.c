/* See shim.h. Nothing is decided here: collectd's structures are flattened, and calls passed on. */
#include <stdbool.h>

#include "collectd.h"
#include "plugin.h"
#include "utils/common/common.h"

#include "shim.h"

#define PLUGIN "bellwether"

static const struct bwc_callbacks *to;

static void pass_setting(const oconfig_item_t *item) {
  if (item->children_num > 0) {
    to->setting(item->key, BWC_BLOCK, NULL, 0);
    return;
  }
  if (item->values_num < 1)
    to->setting(item->key, BWC_NOTHING, NULL, 0);
  for (int i = 0; i < item->values_num; i++) {
    const oconfig_value_t *value = &item->values[i];
    switch (value->type) {
    case OCONFIG_TYPE_STRING:
      to->setting(item->key, BWC_TEXT, value->value.string, 0);
      break;
    case OCONFIG_TYPE_NUMBER:
      to->setting(item->key, BWC_NUMBER, NULL, value->value.number);
      break;
    default:
      to->setting(item->key, BWC_FLAG, NULL, value->value.boolean ? 1 : 0);
    }
  }
}

static int on_config(oconfig_item_t *block) {
  for (int i = 0; i < block->children_num; i++)
    pass_setting(&block->children[i]);
  to->configured();
  return 0;
}

static int on_init(void) { return to->init(); }

static int on_write(const data_set_t *ds, const value_list_t *vl, user_data_t *data) {
  (void)data;
  const struct bwc_value value = {
      .host = vl->host,
      .plugin = vl->plugin,
      .plugin_instance = vl->plugin_instance,
      .type = vl->type,
      .type_instance = vl->type_instance,
      .time = vl->time,
      .interval = vl->interval,
      .values = vl->values,
      .values_len = vl->values_len,
      .kinds = {ds->ds_num > 0 ? ds->ds[0].type : -1, ds->ds_num > 1 ? ds->ds[1].type : -1},
      .list = vl,
  };
  return to->write(&value);
}

static int on_notification(const notification_t *n, user_data_t *data) {
  (void)data;
  const struct bwc_notification notification = {
      .severity = n->severity,
      .time = n->time,
      .message = n->message,
      .host = n->host,
      .plugin_instance = n->plugin_instance,
      .plugin = n->plugin,
      .type = n->type,
      .type_instance = n->type_instance,
  };
  return to->notification(&notification);
}

static int on_flush(cdtime_t timeout, const char *identifier, user_data_t *data) {
  (void)timeout;
  (void)identifier;
  (void)data;
  return to->flush();
}

static int on_shutdown(void) { return to->shutdown(); }

void bwc_register(const struct bwc_callbacks *callbacks) {
  to = callbacks;
  plugin_register_complex_config(PLUGIN, on_config);
  plugin_register_init(PLUGIN, on_init);
}

int bwc_register_running(void) {
  int status = plugin_register_shutdown(PLUGIN, on_shutdown);
  if (status == 0)
    status = plugin_register_notification(PLUGIN, on_notification, NULL);
  if (status == 0)
    status = plugin_register_flush(PLUGIN, on_flush, NULL);
  if (status == 0)
    status = plugin_register_write(PLUGIN, on_write, NULL);
  return status;
}

void bwc_log(int32_t severity, const char *message) { plugin_log(severity, PLUGIN ": %s", message); }

uint64_t bwc_now(void) { return cdtime(); }

uint64_t bwc_interval(void) { return plugin_get_interval(); }

const char *bwc_hostname(void) { return hostname_g != NULL ? hostname_g : ""; }

size_t bwc_sender(const void *list, char *buffer, size_t size) {
  const value_list_t *vl = list;
  char *address = NULL;
  if (vl->meta == NULL || meta_data_get_string(vl->meta, "network:ip_address", &address) != 0)
    return 0;
  sstrncpy(buffer, address, size);
  free(address);
  return strlen(buffer);
}

int bwc_dispatch_gauge(const char *host, const char *plugin_instance, const char *type, const char *type_instance,
                       uint64_t time, uint64_t interval, double value) {
  value_list_t vl = VALUE_LIST_INIT;
  vl.values = &(value_t){.gauge = value};
  vl.values_len = 1;
  vl.time = time;
  vl.interval = interval;
  sstrncpy(vl.host, host, sizeof(vl.host));
  sstrncpy(vl.plugin, PLUGIN, sizeof(vl.plugin));
  sstrncpy(vl.plugin_instance, plugin_instance, sizeof(vl.plugin_instance));
  sstrncpy(vl.type, type, sizeof(vl.type));
  sstrncpy(vl.type_instance, type_instance, sizeof(vl.type_instance));
  return plugin_dispatch_values(&vl);
}

int bwc_dispatch_notification(const struct bwc_notification *from, size_t count, const char *const *keys,
                              const char *const *values) {
  notification_t n = {.severity = from->severity, .time = from->time};
  sstrncpy(n.message, from->message, sizeof(n.message));
  sstrncpy(n.host, from->host, sizeof(n.host));
  sstrncpy(n.plugin, PLUGIN, sizeof(n.plugin));
  sstrncpy(n.plugin_instance, from->plugin_instance, sizeof(n.plugin_instance));
  sstrncpy(n.type, from->type, sizeof(n.type));
  sstrncpy(n.type_instance, from->type_instance, sizeof(n.type_instance));
  for (size_t i = 0; i < count; i++)
    plugin_notification_meta_add_string(&n, keys[i], values[i]);
  int status = plugin_dispatch_notification(&n);
  if (n.meta != NULL)
    plugin_notification_meta_free(n.meta);
  return status;
}
