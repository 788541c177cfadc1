/* Records of logs: options, what is observed, feedback, events, counters, snapshots. */
#include "check.h"

#include <stddef.h>

static bw_record record(const char *text, double time) {
  bw_record r;
  memset(&r, 0, sizeof r);
  r.size = sizeof r;
  r.stream = "host-1";
  r.stream_len = 6;
  r.text = text;
  r.text_len = strlen(text);
  r.time = time;
  return r;
}

static bw_observed observe(bw_lad *lad, bw_record r) {
  bw_observed observed = {.size = sizeof observed};
  bw_error *error = (bw_error *)(void *)&error;
  CHECK(bw_lad_observe(lad, &r, &observed, &error) == BW_OK);
  CHECK(error == NULL && observed.size == sizeof observed);
  return observed;
}

/* `count` records of ordinary life. */
static void calm(bw_lad *lad, double *time, int count) {
  for (int i = 0; i < count; i++, *time += 1.0) {
    bw_observed o = observe(lad, record(i % 2 ? "session opened for user root" : "session closed for user root", *time));
    CHECK(o.outcome == BW_RECORD_TAKEN && !o.failure && !o.alarm && o.score == 0.0 && o.family == NULL);
  }
}

static const char *DISK = "[ 12.5] Buffer I/O error on dev sda1, logical block 77, async page read";

static void options(void) {
  bw_lad_options_free(NULL);
  bw_lad_options *options = bw_lad_options_new();
  CHECK(bw_lad_options_set(options, STR("drain_depth"), STR("5"), NULL) == BW_OK);
  CHECK_FAILS(BW_INVALID_OPTION, "\"window_size\"", bw_lad_options_set, options, STR("windw_size"), STR("3"));
  CHECK_FAILS(BW_INVALID_OPTION, "magic", bw_lad_options_set, options, STR("mode"), STR("magic"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad_options is NULL", bw_lad_options_set, NULL, STR("mode"), STR("paper"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "value is not UTF-8", bw_lad_options_set, options, STR("lexicon"), STR(NOT_UTF8));
  size_t count = bw_lad_option_count();
  CHECK(count > 20);
  for (size_t i = 0; i < count; i++) {
    bw_option_info info = {.size = sizeof info};
    CHECK(bw_lad_option_describe(i, &info, NULL) == BW_OK);
    CHECK(strlen(info.name) > 0 && strlen(info.kind) > 0 && strlen(info.allowed) > 0 && strlen(info.help) > 0);
    CHECK(bw_lad_options_set(options, info.name, strlen(info.name), info.default_value, strlen(info.default_value), NULL) ==
          BW_OK);
  }
  bw_option_info info = {.size = sizeof info};
  CHECK_FAILS(BW_NOT_FOUND, "there is no option", bw_lad_option_describe, count, &info);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_option_info is NULL", bw_lad_option_describe, 0, NULL);

  /* What is wrong with all of them together, or with a file, is noticed by bw_lad_new. */
  bw_error *error = NULL;
  CHECK(bw_lad_options_set(options, STR("lexicon"), STR("/nowhere/lexicon"), NULL) == BW_OK);
  CHECK(bw_lad_new(options, &error) == NULL);
  CHECK(bw_error_code(error) == BW_INVALID_OPTION && strstr(bw_error_message(error), "/nowhere/lexicon") != NULL);
  bw_error_free(error);
  bw_lad_options_free(options);
}

static void wrong_arguments(bw_lad *lad) {
  bw_record r = record("text", 1.0);
  bw_observed observed = {.size = sizeof observed, .score = 77.0};
  bw_lad_free(NULL);
  CHECK(bw_lad_next_event(NULL) == NULL);
  CHECK(bw_lad_template(NULL, STR("host-1"), 1) == NULL);
  CHECK(bw_lad_template(lad, NULL, 6, 1) == NULL);
  CHECK(bw_lad_template(lad, STR(NOT_UTF8), 1) == NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad is NULL", bw_lad_observe, NULL, &r, &observed);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_record is NULL", bw_lad_observe, lad, NULL, &observed);
  size_t sizes[] = {0, sizeof(size_t), offsetof(bw_record, program) - 1, sizeof r - 1, 4104, (size_t)-1};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    r.size = sizes[i];
    CHECK_FAILS(BW_INVALID_ARGUMENT, "sizeof(bw_record)", bw_lad_observe, lad, &r, &observed);
  }
  r = record("text", 1.0);
  observed.size = sizeof observed - 1;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_observed.size", bw_lad_observe, lad, &r, &observed);
  observed.size = sizeof observed;
  r.stream = NULL;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_record.stream is NULL", bw_lad_observe, lad, &r, &observed);
  r.stream = NOT_UTF8, r.stream_len = strlen(NOT_UTF8);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_record.stream is not UTF-8", bw_lad_observe, lad, &r, &observed);
  r.stream = "a\0b", r.stream_len = 3;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "holds a NUL byte", bw_lad_observe, lad, &r, &observed);
  r = record("text", 1.0);
  r.text = NULL;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_record.text is NULL", bw_lad_observe, lad, &r, &observed);
  r.text = "text", r.text_len = (size_t)-1;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_record.text", bw_lad_observe, lad, &r, &observed);
  CHECK(observed.score == 77.0);

  bw_log_counters counters = {.size = sizeof counters};
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad is NULL", bw_lad_advance, NULL, 1.0);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad is NULL", bw_lad_counters, NULL, &counters);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_log_counters is NULL", bw_lad_counters, lad, NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad is NULL", bw_lad_feedback, NULL, STR("host-1"), 1, BW_VERDICT_BENIGN);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "stream is NULL", bw_lad_feedback, lad, NULL, 6, 1, BW_VERDICT_BENIGN);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "verdict is 3", bw_lad_feedback, lad, STR("host-1"), 1, 3);
  CHECK_FAILS(BW_NOT_FOUND, "\"host-1\" with a template 1", bw_lad_feedback, lad, STR("host-1"), 1, BW_VERDICT_BENIGN);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad is NULL", bw_lad_save, NULL, STR("lad.state"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path is NULL", bw_lad_save, lad, NULL, 3);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path is empty", bw_lad_load, lad, STR(""));
  CHECK(bw_lad_counters(lad, &counters, NULL) == BW_OK);
  CHECK(counters.taken == 0 && counters.refused == 0 && counters.streams == 0);
}

/* A caller of an older and of a newer version: what it does not know is unknown, what nobody here knows must be zero. */
static void other_versions(void) {
  bw_lad *lad = bw_lad_new(NULL, NULL);
  struct {
    bw_record r;
    char more[16];
  } record_and_more = {.r = record("text", 1.0)};
  bw_record *r = &record_and_more.r;
  r->program = r->unit = r->tag = (const char *)1; /* Read by nobody where `size` does not count them. */
  r->program_len = r->unit_len = r->tag_len = (size_t)-1;
  r->size = offsetof(bw_record, program);
  CHECK(bw_lad_observe(lad, r, NULL, NULL) == BW_OK);
  *r = record("text", 2.0);
  r->size = sizeof record_and_more;
  CHECK(bw_lad_observe(lad, r, NULL, NULL) == BW_OK);
  record_and_more.more[15] = 1;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "something behind its first", bw_lad_observe, lad, r, NULL);
  r->size = sizeof *r;
  r->program = "x", r->program_len = (size_t)-1;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_record.program", bw_lad_observe, lad, r, NULL);

  struct {
    bw_log_counters c;
    uint64_t more;
  } counters = {.c = {.size = offsetof(bw_log_counters, open_episodes), .open_episodes = 77}, .more = 77};
  CHECK(bw_lad_counters(lad, &counters.c, NULL) == BW_OK && counters.c.taken == 2 && counters.c.open_episodes == 77);
  counters.c.size = sizeof counters;
  CHECK(bw_lad_counters(lad, &counters.c, NULL) == BW_OK && counters.c.open_episodes == 0 && counters.more == 77);
  bw_lad_free(lad);
}

static void an_episode(bw_lad *lad, double *time) {
  calm(lad, time, 300);
  bw_record r = record(DISK, *time);
  r.program = "ker\xffnel\n", r.program_len = 8;
  r.tag = "host.kmsg", r.tag_len = 9;
  bw_observed o = observe(lad, r);
  CHECK(o.failure && o.alarm && !o.training && o.score >= 0.5 && o.severity == o.score);
  CHECK(strcmp(o.family, "storage") == 0);
  CHECK(o.template_id > 0 && strlen(o.template_text) == o.template_len);
  CHECK(strstr(o.template_text, "Buffer I/O error") != NULL);
  CHECK(strcmp(bw_lad_template(lad, STR("host-1"), o.template_id), o.template_text) == 0);
  CHECK(bw_lad_template(lad, STR("host-1"), 999) == NULL);
  CHECK(bw_lad_template(lad, STR("host-2"), o.template_id) == NULL);

  bw_event *event = bw_lad_next_event(lad);
  CHECK(event != NULL && bw_lad_next_event(lad) == NULL);
  CHECK(strcmp(bw_event_text(event, STR("event")), "log_failure") == 0);
  CHECK(strcmp(bw_event_text(event, STR("state")), "raised") == 0);
  CHECK(strcmp(bw_event_text(event, STR("stream")), "host-1") == 0);
  CHECK(strcmp(bw_event_text(event, STR("family")), "storage") == 0);
  CHECK(strcmp(bw_event_text(event, STR("sample")), DISK) == 0);
  CHECK(strcmp(bw_event_text(event, STR("program")), "ker\xef\xbf\xbdnel") == 0);
  CHECK(strcmp(bw_event_text(event, STR("tag")), "host.kmsg") == 0 && bw_event_text(event, STR("unit")) == NULL);
  double id = 0.0;
  CHECK(bw_event_number(event, STR("template_id"), &id, NULL) == BW_OK && id == (double)o.template_id);
  bw_event_free(event);

  /* An operator knows better. */
  CHECK(bw_lad_feedback(lad, STR("host-1"), o.template_id, BW_VERDICT_BENIGN, NULL) == BW_OK);
  event = bw_lad_next_event(lad);
  CHECK(event != NULL && strcmp(bw_event_text(event, STR("state")), "cleared") == 0);
  bw_event_free(event);
  CHECK(!observe(lad, record(DISK, *time)).failure);
  CHECK(bw_lad_feedback(lad, STR("host-1"), o.template_id, BW_VERDICT_NONE, NULL) == BW_OK);
  CHECK(observe(lad, record(DISK, *time)).failure);
}

static void whatever_bytes(bw_lad *lad, double time) {
  bw_record r = record("", time);
  CHECK(observe(lad, r).outcome == BW_RECORD_TAKEN);
  r.text = "\xff\xfe\0 disk \0\x80 sda", r.text_len = 15;
  bw_observed o = observe(lad, r);
  CHECK(o.outcome == BW_RECORD_TAKEN && strlen(o.template_text) == o.template_len);
  r.stream_len = 0;
  o = observe(lad, r);
  CHECK(o.outcome == BW_RECORD_REFUSED && o.template_id == 0 && o.template_text == NULL);
  r = record(DISK, NAN);
  o = observe(lad, r);
  CHECK(o.outcome == BW_RECORD_REFUSED && o.failure && strcmp(o.family, "storage") == 0);
  r = record("text", time);
  r.has_priority = 1, r.priority = 4000000000u;
  CHECK(observe(lad, r).outcome == BW_RECORD_TAKEN);
  /* Nobody has to ask what a record is. */
  CHECK(bw_lad_observe(lad, &r, NULL, NULL) == BW_OK);
}

static void a_restart(bw_lad *lad, double time) {
  bw_log_counters before = {.size = sizeof before}, after = {.size = sizeof after};
  CHECK(bw_lad_counters(lad, &before, NULL) == BW_OK);
  CHECK(before.taken > 300 && before.refused == 2 && before.episodes == 2 && before.streams == 1 && before.templates > 2);
  CHECK(before.failures >= 2 && before.windows > 0 && before.bytes > 0);
  CHECK(bw_lad_save(lad, STR("lad.state"), NULL) == BW_OK);

  /* The same as bytes, which are written without the detector. */
  bw_error *error = NULL;
  CHECK(bw_lad_snapshot(NULL, &error) == NULL && bw_error_code(error) == BW_INVALID_ARGUMENT);
  bw_error_free(error);
  bw_snapshot *snapshot = bw_lad_snapshot(lad, NULL);
  CHECK(snapshot != NULL && bw_snapshot_size(snapshot) > 100 && bw_snapshot_size(NULL) == 0);
  CHECK_FAILS(BW_IO, "no-such-folder/state", bw_snapshot_write, snapshot, STR("no-such-folder/state"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_snapshot is NULL", bw_snapshot_write, NULL, STR("lad.bytes"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path is empty", bw_snapshot_write, snapshot, STR(""));
  CHECK(bw_snapshot_write(snapshot, STR("lad.bytes"), NULL) == BW_OK);
  bw_snapshot_free(snapshot);
  bw_snapshot_free(NULL);
  bw_lad *from_bytes = bw_lad_new(NULL, NULL);
  CHECK(bw_lad_load(from_bytes, STR("lad.bytes"), NULL) == BW_OK);
  CHECK(bw_lad_counters(from_bytes, &after, NULL) == BW_OK && after.taken == before.taken);
  CHECK(after.open_episodes == before.open_episodes && before.open_episodes == 1);
  bw_lad_free(from_bytes);

  bw_lad *restarted = bw_lad_new(NULL, NULL);
  CHECK_FAILS(BW_NOT_FOUND, "no.state", bw_lad_load, restarted, STR("no.state"));
  CHECK(bw_lad_load(restarted, STR("lad.state"), NULL) == BW_OK);
  CHECK(bw_lad_counters(restarted, &after, NULL) == BW_OK);
  CHECK(after.taken == before.taken && after.windows == before.windows && after.templates == before.templates);
  bw_observed a = observe(lad, record(DISK, time)), b = observe(restarted, record(DISK, time));
  CHECK(a.template_id == b.template_id && a.score == b.score && a.alarm == b.alarm);

  /* A week of silence, and the stream is gone. */
  CHECK(bw_lad_advance(restarted, time + 8.0 * 86400.0, NULL) == BW_OK);
  CHECK(bw_lad_counters(restarted, &after, NULL) == BW_OK);
  CHECK(after.streams == 0 && after.streams_forgotten == 1);

  /* A snapshot made otherwise. */
  bw_lad_options *paper = bw_lad_options_new();
  CHECK(bw_lad_options_set(paper, STR("mode"), STR("paper"), NULL) == BW_OK);
  bw_lad *other = bw_lad_new(paper, NULL);
  bw_lad_options_free(paper);
  error = NULL;
  CHECK(bw_lad_load(other, STR("lad.state"), &error) == BW_SNAPSHOT_UNUSABLE);
  CHECK(strstr(bw_error_message(error), "mode") != NULL);
  bw_error_free(error);
  bw_lad_free(other);
  bw_lad_free(restarted);
}

int main(void) {
  options();
  bw_error *error = NULL;
  bw_lad *lad = bw_lad_new(NULL, &error);
  CHECK(lad != NULL && error == NULL);
  wrong_arguments(lad);
  other_versions();
  double time = 1.7e9;
  an_episode(lad, &time);
  whatever_bytes(lad, time);
  a_restart(lad, time);
  /* What was not fetched is freed with the detector. */
  bw_lad_free(lad);
  return 0;
}
