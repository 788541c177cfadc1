/* What was learnt is saved and loaded; files that cannot be used are set aside. Runs in an empty folder. */
#include "check.h"

static void damage(const char *path, long at) {
  FILE *file = fopen(path, "r+b");
  CHECK(file != NULL && fseek(file, at, at < 0 ? SEEK_END : SEEK_SET) == 0);
  int byte = fgetc(file);
  CHECK(byte != EOF && fseek(file, -1, SEEK_CUR) == 0);
  CHECK(fputc(byte ^ 0x40, file) != EOF && fclose(file) == 0);
}

static bool exists(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file != NULL) fclose(file);
  return file != NULL;
}

static void wrong_arguments(bw_had *had) {
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_had is NULL", bw_had_save, NULL, STR("state"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path is NULL", bw_had_save, had, NULL, 5);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path is empty", bw_had_save, had, STR(""));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path holds a NUL byte", bw_had_save, had, STR("sta\0te"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_had is NULL", bw_had_load, NULL, STR("state"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path is NULL", bw_had_load, had, NULL, 5);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path is empty", bw_had_load, had, STR(""));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path holds a NUL byte", bw_had_load, had, STR("sta\0te"));
  CHECK_FAILS(BW_IO, "no-such-folder/state", bw_had_save, had, STR("no-such-folder/state"));
  CHECK_FAILS(BW_IO, "snapshot .", bw_had_load, had, STR("."));
  CHECK_FAILS(BW_NOT_FOUND, "there is no file state", bw_had_load, had, STR("state"));
}

/* Where state can be kept is found out before there is any. */
static void prepared(void) {
  bool in_place = true;
  CHECK(bw_state_prepare(STR("folder/state"), &in_place, NULL) == BW_OK && !in_place);
  CHECK(exists("folder") && !exists("folder/state"));
  CHECK(bw_state_prepare(STR("folder/state"), NULL, NULL) == BW_OK);
  CHECK_FAILS(BW_IO, "no-such/folder/state", bw_state_prepare, STR("no-such/folder/state"), NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path is NULL", bw_state_prepare, NULL, 5, NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path is empty", bw_state_prepare, STR(""), NULL);
}

int main(void) {
  bw_had *had = bw_had_new(NULL, NULL);
  wrong_arguments(had);
  prepared();
  double time = 1700000000.0;
  feed(had, &time, 80, 20.0);
  bw_error *error = NULL;
  CHECK(bw_had_save(had, "state???", 5, &error) == BW_OK && error == NULL);
  CHECK(exists("state"));
  /* A path need not be UTF-8. */
  CHECK(bw_had_save(had, STR("st\xff"), NULL) == BW_OK && exists("st\xff"));
  /* What was learnt as bytes outlives the detector, and is the same file. */
  bw_snapshot *snapshot = bw_had_snapshot(had, &error);
  CHECK(snapshot != NULL && error == NULL && bw_had_snapshot(NULL, NULL) == NULL);
  bw_had_free(had);
  CHECK(bw_snapshot_write(snapshot, STR("state"), NULL) == BW_OK);
  bw_snapshot_free(snapshot);

  /* Another detector goes on where that one stopped: it knows the VMs and raises what it sees. */
  had = bw_had_new(NULL, NULL);
  CHECK(bw_had_load(had, STR("state"), &error) == BW_OK && error == NULL);
  bw_counters counters = {.size = sizeof counters};
  CHECK(bw_had_counters(had, &counters, NULL) == BW_OK);
  CHECK(counters.taken == 640 && counters.vms == 8);
  feed(had, &time, 15, 60.0);
  bw_event *event = bw_had_next_event(had);
  CHECK(event != NULL && strcmp(bw_event_text(event, STR("state")), "raised") == 0);
  bw_event_free(event);

  /* A damaged file is set aside, and the detector is as it was. */
  CHECK(bw_had_counters(had, &counters, NULL) == BW_OK);
  damage("state", -1);
  CHECK(bw_had_load(had, STR("state"), &error) == BW_SNAPSHOT_UNUSABLE);
  CHECK(strstr(bw_error_message(error), "damaged") != NULL && strstr(bw_error_message(error), "state.unusable") != NULL);
  bw_error_free(error);
  CHECK(!exists("state") && exists("state.unusable"));
  bw_counters after = {.size = sizeof after};
  CHECK(bw_had_counters(had, &after, NULL) == BW_OK);
  CHECK(memcmp(&counters, &after, sizeof after) == 0);
  feed(had, &time, 1, 60.0);

  /* So is one of another version, */
  CHECK(bw_had_save(had, STR("state"), NULL) == BW_OK);
  damage("state", 8);
  CHECK(bw_had_load(had, STR("state"), &error) == BW_SNAPSHOT_UNUSABLE);
  CHECK(strstr(bw_error_message(error), "version") != NULL);
  bw_error_free(error);

  /* and one that was made with options that shape the state otherwise. */
  CHECK(bw_had_save(had, STR("state"), NULL) == BW_OK);
  bw_had_options *options = bw_had_options_new();
  CHECK(bw_had_options_set(options, STR("metrics"), STR("disk_ops,cpu"), NULL) == BW_OK);
  bw_had *other = bw_had_new(options, NULL);
  bw_had_options_free(options);
  CHECK(bw_had_load(other, STR("state"), NULL) == BW_SNAPSHOT_UNUSABLE);
  CHECK(!exists("state"));
  bw_had_free(other);
  bw_had_free(had);
  return 0;
}
