/* What was learned is saved and loaded; files that cannot be used are set aside. Runs in an empty folder. */
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

static void wrong_arguments(bw_detector *had) {
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_detector_save, NULL, BW_STR("state"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path is NULL", bw_detector_save, had, NULL, 5);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path is empty", bw_detector_save, had, BW_STR(""));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path holds a NUL byte", bw_detector_save, had, BW_STR("sta\0te"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_detector_load, NULL, BW_STR("state"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path is NULL", bw_detector_load, had, NULL, 5);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path is empty", bw_detector_load, had, BW_STR(""));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path holds a NUL byte", bw_detector_load, had, BW_STR("sta\0te"));
  CHECK_FAILS(BW_IO, "no-such-folder/state", bw_detector_save, had, BW_STR("no-such-folder/state"));
  CHECK_FAILS(BW_IO, "snapshot .", bw_detector_load, had, BW_STR("."));
  CHECK_FAILS(BW_NOT_FOUND, "there is no file state", bw_detector_load, had, BW_STR("state"));
}

/* Where state can be kept is found out before there is any. */
static void prepared(void) {
  bool in_place = true;
  CHECK(bw_state_prepare(BW_STR("folder/state"), &in_place, NULL) == BW_OK && !in_place);
  CHECK(exists("folder") && !exists("folder/state"));
  CHECK(bw_state_prepare(BW_STR("folder/state"), NULL, NULL) == BW_OK);
  CHECK_FAILS(BW_IO, "no-such/folder/state", bw_state_prepare, BW_STR("no-such/folder/state"), NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path is NULL", bw_state_prepare, NULL, 5, NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path is empty", bw_state_prepare, BW_STR(""), NULL);
}

/* The bytes of a snapshot are those of its file, are copied in parts of any size, and can be loaded. */
static void as_bytes(const bw_snapshot *snapshot) {
  size_t size = bw_snapshot_size(snapshot);
  uint8_t *bytes = malloc(size + 1), *file_bytes = malloc(size + 1);
  CHECK(bytes != NULL && file_bytes != NULL && size > 100);
  bytes[size] = 77;
  for (size_t at = 0, part = 1; at < size; part = part * 2 + 1) {
    size_t copied = bw_snapshot_copy(snapshot, at, bytes + at, at + part > size ? size - at : part);
    CHECK(copied > 0 && at + copied <= size);
    at += copied;
  }
  CHECK(bytes[size] == 77 && bw_snapshot_copy(snapshot, size, bytes, 1) == 0);
  CHECK(bw_snapshot_copy(snapshot, (size_t)-1, bytes, 1) == 0 && bw_snapshot_copy(snapshot, 0, bytes, 0) == 0);
  CHECK(bw_snapshot_copy(NULL, 0, bytes, 1) == 0 && bw_snapshot_copy(snapshot, 0, NULL, 1) == 0);
  FILE *file = fopen("state", "rb");
  CHECK(file != NULL && fread(file_bytes, 1, size + 1, file) == size && fclose(file) == 0);
  CHECK(memcmp(bytes, file_bytes, size) == 0);

  bw_detector *had = detector("had");
  bw_error *error = NULL;
  CHECK(bw_detector_load_bytes(had, bytes, size, &error) == BW_OK && error == NULL);
  CHECK(counter(had, "taken") == 640 && counter(had, "vms") == 8);
  CHECK_FAILS(BW_SNAPSHOT_UNUSABLE, "", bw_detector_load_bytes, had, bytes, size - 1);
  CHECK_FAILS(BW_SNAPSHOT_UNUSABLE, "", bw_detector_load_bytes, had, bytes, 0);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bytes is NULL", bw_detector_load_bytes, had, NULL, size);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "length of bytes", bw_detector_load_bytes, had, bytes, (size_t)-1);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_detector_load_bytes, NULL, bytes, size);
  CHECK(counter(had, "taken") == 640 && counter(had, "vms") == 8);
  bw_detector *lad = detector("lad");
  CHECK_FAILS(BW_SNAPSHOT_UNUSABLE, "", bw_detector_load_bytes, lad, bytes, size);
  bw_detector_free(lad);
  bw_detector_free(had);
  free(bytes);
  free(file_bytes);
}

int main(void) {
  bw_detector *had = detector("had");
  wrong_arguments(had);
  prepared();
  double time = 1700000000.0;
  feed(had, &time, 80, 20.0);
  bw_error *error = NULL;
  CHECK(bw_detector_save(had, "state???", 5, &error) == BW_OK && error == NULL);
  CHECK(exists("state"));
  /* A path need not be UTF-8. */
  CHECK(bw_detector_save(had, BW_STR("st\xff"), NULL) == BW_OK && exists("st\xff"));
  /* What was learned as bytes outlives the detector, and is the same file. */
  bw_snapshot *snapshot = bw_detector_save_bytes(had, &error);
  CHECK(snapshot != NULL && error == NULL && bw_detector_save_bytes(NULL, NULL) == NULL);
  bw_detector_free(had);
  CHECK(bw_snapshot_write(snapshot, BW_STR("state"), NULL) == BW_OK);
  as_bytes(snapshot);
  bw_snapshot_free(snapshot);

  /* Another detector goes on where that one stopped: it knows the VMs and raises what it sees. */
  had = detector("had");
  CHECK(bw_detector_load(had, BW_STR("state"), &error) == BW_OK && error == NULL);
  CHECK(counter(had, "taken") == 640 && counter(had, "vms") == 8);
  feed(had, &time, 15, 60.0);
  bw_event *event = bw_detector_next_event(had);
  CHECK(event != NULL && says(event, "state", "raised"));
  bw_event_free(event);

  /* A damaged file is set aside, and the detector is as it was. */
  uint64_t taken = counter(had, "taken");
  damage("state", -1);
  CHECK(bw_detector_load(had, BW_STR("state"), &error) == BW_SNAPSHOT_UNUSABLE);
  CHECK(has(bw_error_message(error), "corrupt snapshot") && has(bw_error_message(error), "state.unusable"));
  bw_error_free(error);
  CHECK(!exists("state") && exists("state.unusable"));
  CHECK(counter(had, "taken") == taken && counter(had, "vms") == 8);
  feed(had, &time, 1, 60.0);

  /* So is one of another version, */
  CHECK(bw_detector_save(had, BW_STR("state"), NULL) == BW_OK);
  damage("state", 8);
  CHECK(bw_detector_load(had, BW_STR("state"), &error) == BW_SNAPSHOT_UNUSABLE);
  CHECK(has(bw_error_message(error), "version"));
  bw_error_free(error);

  /* and one that was made with options that shape the state otherwise. */
  CHECK(bw_detector_save(had, BW_STR("state"), NULL) == BW_OK);
  bw_options *options = bw_options_new(BW_STR("had"), NULL);
  CHECK(bw_options_set(options, BW_STR("algorithm"), BW_STR("zscore"), NULL) == BW_OK);
  bw_detector *other = bw_detector_new(options, NULL);
  bw_options_free(options);
  CHECK(bw_detector_load(other, BW_STR("state"), NULL) == BW_SNAPSHOT_UNUSABLE);
  CHECK(!exists("state"));
  bw_detector_free(other);
  bw_detector_free(had);
  return 0;
}
