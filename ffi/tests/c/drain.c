/* The parser alone: options, lines, templates, values. */
#include "check.h"

static bw_drain_added add(bw_detector *drain, const char *line) {
  bw_drain_added added = {.size = sizeof added};
  bw_error *error = (bw_error *)(void *)&error;
  CHECK(bw_drain_add(drain, line, strlen(line), &added, &error) == BW_OK);
  CHECK(error == NULL && added.size == sizeof added && added.template_id > 0);
  return added;
}

static void options(void) {
  bw_options *options = bw_options_new(BW_STR("drain"), NULL);
  CHECK_FAILS(BW_INVALID_OPTION, "\"depth\"", bw_options_set, options, BW_STR("dept"), BW_STR("4"));
  CHECK(bw_options_set(options, BW_STR("masks"), BW_STR("VM=("), NULL) == BW_OK);
  bw_error *error = NULL;
  CHECK(bw_detector_new(options, &error) == NULL);
  CHECK(bw_error_code(error) == BW_INVALID_OPTION && has(bw_error_message(error), "masks"));
  bw_error_free(error);
  CHECK(bw_options_set(options, BW_STR("masks"), BW_STR("VM=vm-[a-z]+"), NULL) == BW_OK);
  bw_detector *drain = bw_detector_new(options, &error);
  CHECK(drain != NULL && error == NULL);
  bw_options_free(options);
  bw_drain_added added = add(drain, "guest vm-web has started");
  CHECK(is(bw_drain_template(drain, added.template_id), "guest <:VM:> has started"));
  bw_detector_free(drain);
}

static void wrong_arguments(bw_detector *drain) {
  bw_drain_added added = {.size = sizeof added, .template_id = 77};
  bw_detector_free(NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_drain_add, NULL, BW_STR("line"), &added);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "line is NULL", bw_drain_add, drain, NULL, 4, &added);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "length of line", bw_drain_add, drain, "line", (size_t)-1, &added);
  added.size = 1;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "sizeof(bw_drain_added)", bw_drain_add, drain, BW_STR("line"), &added);
  CHECK(added.template_id == 77);
  CHECK(bw_drain_template(NULL, 1).data == NULL && bw_drain_template(drain, 1).data == NULL);
  CHECK(bw_drain_parameter_count(NULL, 1, BW_STR("line")) == 0 && bw_drain_parameter_count(drain, 1, NULL, 4) == 0);
  CHECK(bw_drain_parameter(NULL, 0).data == NULL && bw_drain_parameter(drain, 0).data == NULL);
}

static void lines(bw_detector *drain) {
  bw_drain_added first = add(drain, "disk sda is 93 percent full");
  CHECK(first.change == BW_DRAIN_CHANGE_NEW);
  bw_drain_added second = add(drain, "disk sdb is 94 percent full");
  CHECK(second.template_id == first.template_id && second.change == BW_DRAIN_CHANGE_TEMPLATE);
  CHECK(add(drain, "disk sdc is 95 percent full").change == BW_DRAIN_CHANGE_NONE);
  CHECK(is(bw_drain_template(drain, first.template_id), "disk <:*:> is <:NUM:> percent full"));
  CHECK(bw_drain_parameter_count(drain, first.template_id, BW_STR("disk sdd is 96 percent full")) == 2);
  CHECK(is(bw_drain_parameter(drain, 0), "sdd") && is(bw_drain_parameter(drain, 1), "96"));
  CHECK(bw_drain_parameter(drain, 2).data == NULL);
  CHECK(bw_drain_parameter_count(drain, first.template_id, BW_STR("something else")) == 0);
  CHECK(bw_drain_parameter(drain, 0).data == NULL);
  /* Whatever bytes, and nobody has to ask. */
  CHECK(bw_drain_add(drain, "\xff\0\x80 x", 5, NULL, NULL) == BW_OK);
  CHECK(bw_drain_add(drain, "", 0, NULL, NULL) == BW_OK);
}

/* It has neither events nor time, but counters. */
static void what_it_lacks(bw_detector *drain) {
  CHECK(bw_detector_advance(drain, 1e9, NULL) == BW_OK && bw_detector_next_event(drain) == NULL);
  CHECK(counter(drain, "lines") == 5 && counter(drain, "templates_changed") == 1 && counter(drain, "bytes") > 0);
}

/* Another one goes on with the templates. */
static void state(const bw_detector *drain) {
  CHECK(bw_detector_save(drain, BW_STR("drain.state"), NULL) == BW_OK);
  bw_detector *loaded = detector("drain");
  CHECK(bw_detector_load(loaded, BW_STR("drain.state"), NULL) == BW_OK);
  CHECK(is(bw_drain_template(loaded, 1), "disk <:*:> is <:NUM:> percent full"));
  CHECK(add(loaded, "disk sdf is 96 percent full").template_id == 1);
  bw_detector_free(loaded);
  loaded = detector("drain");
  CHECK_FAILS(BW_SNAPSHOT_UNUSABLE, "too few", bw_detector_load_bytes, loaded, (const uint8_t *)"x", 1);
  bw_detector_free(loaded);
}

int main(void) {
  options();
  bw_detector *drain = detector("drain");
  wrong_arguments(drain);
  lines(drain);
  what_it_lacks(drain);
  state(drain);
  bw_detector_free(drain);
  return 0;
}
