/*
 * The border between collectd's headers and the plugin.
 *
 * collectd's structures differ between versions and distributions (DATA_MAX_NAME_LEN is chosen when it is configured), so only
 * shim.c, compiled against the installed headers, looks into them. What crosses to Rust are the plain structures below; all
 * pointers in them are borrowed and valid only during the call. Times are collectd's own: units of 2^-30 seconds.
 */
#ifndef BELLWETHER_COLLECTD_SHIM_H
#define BELLWETHER_COLLECTD_SHIM_H

#include <stddef.h>
#include <stdint.h>

/* One value list as a write callback gets it. */
struct bwc_value {
  const char *host;
  const char *plugin;
  const char *plugin_instance;
  const char *type;
  const char *type_instance;
  uint64_t time;
  uint64_t interval;
  const void *values; /* values_len unions of eight bytes each */
  size_t values_len;
  int32_t kinds[2]; /* DS_TYPE_* of the first two values, -1 where there is none */
  const void *list; /* the value list itself, for bwc_sender() */
};

/* One notification, received or to be sent. */
struct bwc_notification {
  int32_t severity; /* NOTIF_FAILURE 1, NOTIF_WARNING 2, NOTIF_OKAY 4 */
  uint64_t time;
  const char *message;
  const char *host;
  const char *plugin_instance;
  const char *plugin;
  const char *type;
  const char *type_instance;
};

/* What a key of the configuration holds. */
enum bwc_setting { BWC_TEXT, BWC_NUMBER, BWC_FLAG, BWC_NOTHING, BWC_BLOCK };

/* What the plugin does on each of collectd's callbacks; each returns what collectd expects of it. */
struct bwc_callbacks {
  /* One value of one key; called once for each value, and once with BWC_NOTHING for a key that has none. */
  void (*setting)(const char *key, int32_t kind, const char *text, double number);
  /* The end of a block of the configuration. */
  void (*configured)(void);
  int (*init)(void);
  int (*write)(const struct bwc_value *value);
  int (*notification)(const struct bwc_notification *notification);
  int (*flush)(void);
  int (*shutdown)(void);
};

/* Registers the callbacks for the configuration and for the start; the table must live for ever. */
void bwc_register(const struct bwc_callbacks *callbacks);
/* Registers the remaining callbacks, once the plugin is ready for them. Returns 0, or what collectd answered. */
int bwc_register_running(void);

/* Severity as syslog's: 3 error, 4 warning, 5 notice, 6 info, 7 debug. */
void bwc_log(int32_t severity, const char *message);
uint64_t bwc_now(void);
/* The interval that collectd gives this plugin; only within the configuration's and the start's callback. */
uint64_t bwc_interval(void);
/* The name that this collectd goes by; never NULL. */
const char *bwc_hostname(void);
/* Writes the address of the collectd that sent the value list over the network to `buffer`; 0 where it came from this one. */
size_t bwc_sender(const void *list, char *buffer, size_t size);
/* Dispatches one gauge. Names that are too long are cut. Returns 0, or what collectd answered. */
int bwc_dispatch_gauge(const char *host, const char *plugin_instance, const char *type, const char *type_instance,
                       uint64_t time, uint64_t interval, double value);
/* Dispatches a notification with `count` strings as its metadata. Returns 0, or what collectd answered. */
int bwc_dispatch_notification(const struct bwc_notification *notification, size_t count, const char *const *keys,
                              const char *const *values);

#endif
