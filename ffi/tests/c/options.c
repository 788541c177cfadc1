/* Versions, errors and options. */
#include "check.h"

static void versions(void) {
  CHECK(bw_abi_version() >= BW_ABI_VERSION);
  int major, minor, patch;
  CHECK(sscanf(bw_version(), "%d.%d.%d", &major, &minor, &patch) == 3);
}

static void null_handles_are_fine(void) {
  bw_error_free(NULL);
  bw_had_options_free(NULL);
  CHECK(bw_error_code(NULL) == BW_OK);
  CHECK(bw_error_message(NULL) == NULL);
}

static void set(void) {
  bw_had_options *options = bw_had_options_new();
  CHECK(options != NULL);

  /* Neither string needs a NUL behind it. */
  CHECK(bw_had_options_set(options, "algorithm???", 9, "zscore???", 6, NULL) == BW_OK);

  /* A success sets the error to NULL, whatever it was. */
  bw_error *error = (bw_error *)(void *)&error;
  CHECK(bw_had_options_set(options, STR("threshold"), STR("2.5"), &error) == BW_OK);
  CHECK(error == NULL);

  CHECK_FAILS(BW_INVALID_OPTION, "window_long_sz", bw_had_options_set, options, STR("windowlong_sz"), STR("3"));
  CHECK_FAILS(BW_INVALID_OPTION, "magic", bw_had_options_set, options, STR("algorithm"), STR("magic"));
  CHECK_FAILS(BW_INVALID_OPTION, "threshold", bw_had_options_set, options, STR("threshold"), STR(""));
  CHECK_FAILS(BW_INVALID_OPTION, "unknown option", bw_had_options_set, options, STR(""), STR("1"));

  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_had_options is NULL", bw_had_options_set, NULL, STR("threshold"), STR("2"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "name is NULL", bw_had_options_set, options, NULL, 9, STR("2"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "name is NULL", bw_had_options_set, options, NULL, 0, STR("2"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "value is NULL", bw_had_options_set, options, STR("threshold"), NULL, 1);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "name is not UTF-8 from byte 3 on", bw_had_options_set, options, STR(NOT_UTF8), STR("2"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "value is not UTF-8", bw_had_options_set, options, STR("metrics"), STR(NOT_UTF8));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "value holds a NUL byte", bw_had_options_set, options, STR("metrics"), STR("a\0b"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "length of name", bw_had_options_set, options, "threshold", (size_t)-1, STR("2"));
  bw_had_options_free(options);
}

static void conflicts_are_noticed_by_new(void) {
  bw_had_options *options = bw_had_options_new();
  CHECK(bw_had_options_set(options, STR("interval"), STR("100"), NULL) == BW_OK);
  CHECK(bw_had_options_set(options, STR("forget_sec"), STR("100"), NULL) == BW_OK);
  bw_error *error = NULL;
  CHECK(bw_had_new(options, &error) == NULL);
  CHECK(bw_error_code(error) == BW_INVALID_OPTION);
  CHECK(strstr(bw_error_message(error), "forget_sec") != NULL);
  bw_error_free(error);
  CHECK(bw_had_new(options, NULL) == NULL);

  /* The options are still ours, and can be put right. */
  CHECK(bw_had_options_set(options, STR("forget_sec"), STR("200"), NULL) == BW_OK);
  bw_had *had = bw_had_new(options, &error);
  CHECK(had != NULL && error == NULL);
  bw_had_options_free(options);
  CHECK(bw_had_advance(had, 1e9, NULL) == BW_OK);
  bw_had_free(had);
}

static void describe(void) {
  size_t count = bw_had_option_count();
  CHECK(count > 0);
  bw_had_options *options = bw_had_options_new();
  for (size_t i = 0; i < count; i++) {
    bw_option_info info = {.size = sizeof info};
    bw_error *error = NULL;
    CHECK(bw_had_option_describe(i, &info, &error) == BW_OK && error == NULL);
    CHECK(info.size == sizeof info);
    CHECK(strlen(info.name) > 0 && strlen(info.kind) > 0 && strlen(info.allowed) > 0 && strlen(info.help) > 0);
    CHECK(info.unit != NULL);
    const char *kinds[] = {"flag", "integer", "number", "choice", "list"};
    int known = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) known += strcmp(info.kind, kinds[k]) == 0;
    CHECK(known == 1);
    CHECK(bw_had_options_set(options, info.name, strlen(info.name), info.default_value, strlen(info.default_value), NULL) ==
          BW_OK);
  }
  bw_had_options_free(options);

  bw_option_info info = {.size = sizeof info, .name = "mine"};
  CHECK_FAILS(BW_NOT_FOUND, "there is no option", bw_had_option_describe, count, &info);
  CHECK_FAILS(BW_NOT_FOUND, "there is no option", bw_had_option_describe, (size_t)-1, &info);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_option_info is NULL", bw_had_option_describe, 0, NULL);
  info.size = 0;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_option_info.size is 0", bw_had_option_describe, 0, &info);
  info.size = sizeof info - 1;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_option_info.size", bw_had_option_describe, 0, &info);
  CHECK(strcmp(info.name, "mine") == 0);

  /* A caller that knows of more fields than the library: what the library does not know stays as it is. */
  struct {
    bw_option_info info;
    const char *added;
  } newer = {{.size = sizeof newer}, "mine"};
  CHECK(bw_had_option_describe(0, &newer.info, NULL) == BW_OK);
  CHECK(newer.info.size == sizeof newer && strlen(newer.info.name) > 0);
  CHECK(strcmp(newer.added, "mine") == 0);
}

int main(void) {
  versions();
  null_handles_are_fine();
  set();
  conflicts_are_noticed_by_new();
  describe();
  return 0;
}
