/* Versions, errors and options. */
#include "check.h"

static void versions(void) {
  CHECK(bw_abi_version() >= BW_ABI_VERSION && bw_abi_version() >> 16 == BW_ABI_VERSION >> 16);
  int major, minor, patch;
  CHECK(sscanf(bw_version().data, "%d.%d.%d", &major, &minor, &patch) == 3);
  CHECK(strlen(bw_version().data) == bw_version().size);
}

static void null_handles_are_fine(void) {
  bw_error_free(NULL);
  bw_options_free(NULL);
  CHECK(bw_error_code(NULL) == BW_OK);
  CHECK(bw_error_message(NULL).data == NULL && bw_error_option(NULL).data == NULL && bw_error_reason(NULL).data == NULL);
  CHECK(bw_options_count(NULL) == 0);
  bw_error *error = NULL;
  CHECK(bw_detector_new(NULL, &error) == NULL && bw_error_code(error) == BW_INVALID_ARGUMENT);
  CHECK(is(bw_error_message(error), "bw_options is NULL") && bw_error_option(error).data == NULL);
  bw_error_free(error);
}

static void kinds(void) {
  bw_error *error = NULL;
  CHECK(bw_options_new(BW_STR("iad"), &error) == NULL && bw_error_code(error) == BW_NOT_FOUND);
  CHECK(has(bw_error_message(error), "no detector \"iad\"; there are \"had\", \"lad\", \"drain\""));
  bw_error_free(error);
  CHECK(bw_options_new(NULL, 3, &error) == NULL && bw_error_code(error) == BW_INVALID_ARGUMENT);
  bw_error_free(error);
  bw_options *options = bw_options_new("had???", 3, &error);
  CHECK(options != NULL && error == NULL);
  bw_options_free(options);
}

/* The error of an option has its name, as a program can show it in its own words. */
static void the_option_of_an_error(void) {
  bw_options *options = bw_options_new(BW_STR("lad"), NULL);
  bw_error *error = NULL;
  CHECK(bw_options_set(options, BW_STR("windw_size"), BW_STR("3"), &error) == BW_INVALID_OPTION);
  CHECK(is(bw_error_option(error), "windw_size") && has(bw_error_reason(error), "unknown option \"windw_size\""));
  bw_error_free(error);
  CHECK(bw_options_set(options, BW_STR("drain_depth"), BW_STR("none"), &error) == BW_INVALID_OPTION);
  CHECK(is(bw_error_option(error), "drain_depth") && has(bw_error_message(error), "option \"drain_depth\": \"none\" is"));
  CHECK(strncmp(bw_error_reason(error).data, "\"none\" is not allowed", 21) == 0 && bw_error_reason(error).data[bw_error_reason(error).size] == 0);
  bw_error_free(error);
  CHECK(bw_options_set(options, BW_STR("mode"), BW_STR(NOT_UTF8), &error) == BW_INVALID_ARGUMENT);
  CHECK(bw_error_option(error).data == NULL);
  bw_error_free(error);
  bw_options_free(options);
}

static void set(void) {
  bw_options *options = bw_options_new(BW_STR("had"), NULL);
  CHECK(options != NULL);

  /* Neither string needs a NUL behind it. */
  CHECK(bw_options_set(options, "algorithm???", 9, "zscore???", 6, NULL) == BW_OK);

  /* A success sets the error to NULL, whatever it was. */
  bw_error *error = (bw_error *)(void *)&error;
  CHECK(bw_options_set(options, BW_STR("threshold"), BW_STR("2.5"), &error) == BW_OK);
  CHECK(error == NULL);

  CHECK_FAILS(BW_INVALID_OPTION, "window_long_sz", bw_options_set, options, BW_STR("windowlong_sz"), BW_STR("3"));
  CHECK_FAILS(BW_INVALID_OPTION, "magic", bw_options_set, options, BW_STR("algorithm"), BW_STR("magic"));
  CHECK_FAILS(BW_INVALID_OPTION, "threshold", bw_options_set, options, BW_STR("threshold"), BW_STR(""));
  CHECK_FAILS(BW_INVALID_OPTION, "unknown option", bw_options_set, options, BW_STR(""), BW_STR("1"));

  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_options is NULL", bw_options_set, NULL, BW_STR("threshold"), BW_STR("2"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "name is NULL", bw_options_set, options, NULL, 9, BW_STR("2"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "name is NULL", bw_options_set, options, NULL, 0, BW_STR("2"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "value is NULL", bw_options_set, options, BW_STR("threshold"), NULL, 1);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "name is not UTF-8 from byte 3 on", bw_options_set, options, BW_STR(NOT_UTF8), BW_STR("2"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "value is not UTF-8", bw_options_set, options, BW_STR("metrics"), BW_STR(NOT_UTF8));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "value holds a NUL byte", bw_options_set, options, BW_STR("metrics"), BW_STR("a\0b"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "length of name", bw_options_set, options, "threshold", (size_t)-1, BW_STR("2"));
  bw_options_free(options);
}

static void conflicts_are_noticed_by_new(void) {
  bw_options *options = bw_options_new(BW_STR("had"), NULL);
  CHECK(bw_options_set(options, BW_STR("interval"), BW_STR("100"), NULL) == BW_OK);
  CHECK(bw_options_set(options, BW_STR("forget_sec"), BW_STR("100"), NULL) == BW_OK);
  bw_error *error = NULL;
  CHECK(bw_detector_new(options, &error) == NULL);
  CHECK(bw_error_code(error) == BW_INVALID_OPTION);
  CHECK(has(bw_error_message(error), "forget_sec"));
  bw_error_free(error);
  CHECK(bw_detector_new(options, NULL) == NULL);

  /* The options are still ours, and can be put right. */
  CHECK(bw_options_set(options, BW_STR("forget_sec"), BW_STR("200"), NULL) == BW_OK);
  bw_detector *had = bw_detector_new(options, &error);
  CHECK(had != NULL && error == NULL);
  bw_options_free(options);
  CHECK(bw_detector_advance(had, 1e9, NULL) == BW_OK);
  bw_detector_free(had);
}

static void describe(const char *kind) {
  bw_options *options = bw_options_new(kind, strlen(kind), NULL);
  size_t count = bw_options_count(options);
  CHECK(count > 0);
  for (size_t i = 0; i < count; i++) {
    bw_option_info info = {.size = sizeof info};
    bw_error *error = NULL;
    CHECK(bw_options_describe(options, i, &info, &error) == BW_OK && error == NULL);
    CHECK(info.size == sizeof info);
    CHECK(info.name.size > 0 && info.kind.size > 0 && info.allowed.size > 0 && info.help.size > 0);
    CHECK(info.unit.data != NULL);
    const char *types[] = {"flag", "integer", "number", "choice", "list", "text"};
    int known = 0;
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) known += is(info.kind, types[k]);
    CHECK(known == 1);
    CHECK(bw_options_set(options, info.name.data, info.name.size, info.default_value.data, info.default_value.size, NULL) ==
          BW_OK);
  }

  bw_option_info info = {.size = sizeof info, .name = string("mine")};
  CHECK_FAILS(BW_NOT_FOUND, "there is no option", bw_options_describe, options, count, &info);
  CHECK_FAILS(BW_NOT_FOUND, "there is no option", bw_options_describe, options, (size_t)-1, &info);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_option_info is NULL", bw_options_describe, options, 0, NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_options is NULL", bw_options_describe, NULL, 0, &info);
  CHECK(is(info.name, "mine"));
  bw_options_free(options);
}

int main(void) {
  versions();
  null_handles_are_fine();
  kinds();
  set();
  the_option_of_an_error();
  conflicts_are_noticed_by_new();
  describe("had");
  describe("lad");
  describe("drain");
  return 0;
}
