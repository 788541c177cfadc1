/* The parser alone: options, lines, templates, values. */
#include "check.h"

static bw_added add(bw_drain *drain, const char *line) {
  bw_added added = {.size = sizeof added};
  bw_error *error = (bw_error *)(void *)&error;
  CHECK(bw_drain_add(drain, line, strlen(line), &added, &error) == BW_OK);
  CHECK(error == NULL && added.size == sizeof added && added.template_id > 0);
  return added;
}

static void options(void) {
  bw_drain_options_free(NULL);
  bw_drain_options *options = bw_drain_options_new();
  CHECK_FAILS(BW_INVALID_OPTION, "\"depth\"", bw_drain_options_set, options, STR("dept"), STR("4"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_drain_options is NULL", bw_drain_options_set, NULL, STR("depth"), STR("4"));
  CHECK(bw_drain_option_count() > 5);
  for (size_t i = 0; i < bw_drain_option_count(); i++) {
    bw_option_info info = {.size = sizeof info};
    CHECK(bw_drain_option_describe(i, &info, NULL) == BW_OK);
    CHECK(strlen(info.name) > 0 && strlen(info.kind) > 0 && strlen(info.allowed) > 0 && strlen(info.help) > 0);
    CHECK(bw_drain_options_set(options, info.name, strlen(info.name), info.default_value, strlen(info.default_value), NULL) ==
          BW_OK);
  }
  bw_option_info info = {.size = sizeof info};
  CHECK_FAILS(BW_NOT_FOUND, "there is no option", bw_drain_option_describe, bw_drain_option_count(), &info);
  CHECK(bw_drain_options_set(options, STR("masks"), STR("VM=("), NULL) == BW_OK);
  bw_error *error = NULL;
  CHECK(bw_drain_new(options, &error) == NULL);
  CHECK(bw_error_code(error) == BW_INVALID_OPTION && strstr(bw_error_message(error), "masks") != NULL);
  bw_error_free(error);
  CHECK(bw_drain_options_set(options, STR("masks"), STR("VM=vm-[a-z]+"), NULL) == BW_OK);
  bw_drain *drain = bw_drain_new(options, &error);
  CHECK(drain != NULL && error == NULL);
  bw_drain_options_free(options);
  bw_added added = add(drain, "guest vm-web has started");
  CHECK(strcmp(bw_drain_template(drain, added.template_id), "guest <:VM:> has started") == 0);
  bw_drain_free(drain);
}

static void wrong_arguments(bw_drain *drain) {
  bw_added added = {.size = sizeof added, .template_id = 77};
  bw_drain_free(NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_drain is NULL", bw_drain_add, NULL, STR("line"), &added);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "line is NULL", bw_drain_add, drain, NULL, 4, &added);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "length of line", bw_drain_add, drain, "line", (size_t)-1, &added);
  added.size = 1;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "sizeof(bw_added)", bw_drain_add, drain, STR("line"), &added);
  CHECK(added.template_id == 77);
  CHECK(bw_drain_template(NULL, 1) == NULL && bw_drain_template(drain, 1) == NULL);
  CHECK(bw_drain_parameter_count(NULL, 1, STR("line")) == 0 && bw_drain_parameter_count(drain, 1, NULL, 4) == 0);
  CHECK(bw_drain_parameter(NULL, 0) == NULL && bw_drain_parameter(drain, 0) == NULL);
}

static void lines(bw_drain *drain) {
  bw_added first = add(drain, "disk sda is 93 percent full");
  CHECK(first.change == BW_CHANGE_NEW);
  bw_added second = add(drain, "disk sdb is 94 percent full");
  CHECK(second.template_id == first.template_id && second.change == BW_CHANGE_TEMPLATE);
  CHECK(add(drain, "disk sdc is 95 percent full").change == BW_CHANGE_NONE);
  CHECK(strcmp(bw_drain_template(drain, first.template_id), "disk <:*:> is <:NUM:> percent full") == 0);
  CHECK(bw_drain_parameter_count(drain, first.template_id, STR("disk sdd is 96 percent full")) == 2);
  CHECK(strcmp(bw_drain_parameter(drain, 0), "sdd") == 0 && strcmp(bw_drain_parameter(drain, 1), "96") == 0);
  CHECK(bw_drain_parameter(drain, 2) == NULL);
  CHECK(bw_drain_parameter_count(drain, first.template_id, STR("something else")) == 0);
  CHECK(bw_drain_parameter(drain, 0) == NULL);
  /* Whatever bytes, and nobody has to ask. */
  CHECK(bw_drain_add(drain, "\xff\0\x80 x", 5, NULL, NULL) == BW_OK);
  CHECK(bw_drain_add(drain, "", 0, NULL, NULL) == BW_OK);
}

int main(void) {
  options();
  bw_error *error = NULL;
  bw_drain *drain = bw_drain_new(NULL, &error);
  CHECK(drain != NULL && error == NULL);
  wrong_arguments(drain);
  lines(drain);
  bw_drain_free(drain);
  return 0;
}
