/* Records of logs: options, what is observed, feedback, events, counters, snapshots. */
#include "check.h"

#include <stddef.h>

static bw_lad_record record(const char *text, double time) {
  bw_lad_record r;
  memset(&r, 0, sizeof r);
  r.size = sizeof r;
  r.stream = string("host-1");
  r.text = string(text);
  r.time = time;
  return r;
}

static bw_lad_observed observe(bw_detector *lad, bw_lad_record r) {
  bw_lad_observed observed = {.size = sizeof observed};
  bw_error *error = (bw_error *)(void *)&error;
  CHECK(bw_lad_observe(lad, &r, &observed, &error) == BW_OK);
  CHECK(error == NULL && observed.size == sizeof observed);
  return observed;
}

/* `count` records of ordinary life. */
static void calm(bw_detector *lad, double *time, int count) {
  for (int i = 0; i < count; i++, *time += 1.0) {
    bw_lad_observed o = observe(lad, record(i % 2 ? "session opened for user root" : "session closed for user root", *time));
    CHECK(o.outcome == BW_LAD_OUTCOME_TAKEN && !o.failure && !o.alarm && o.score == 0.0 && o.family.data == NULL);
  }
}

static const char *DISK = "[ 12.5] Buffer I/O error on dev sda1, logical block 77, async page read";

static void options(void) {
  bw_options *options = bw_options_new(BW_STR("lad"), NULL);
  CHECK(bw_options_set(options, BW_STR("drain_depth"), BW_STR("5"), NULL) == BW_OK);
  CHECK_FAILS(BW_INVALID_OPTION, "\"window_size\"", bw_options_set, options, BW_STR("windw_size"), BW_STR("3"));
  CHECK_FAILS(BW_INVALID_OPTION, "magic", bw_options_set, options, BW_STR("mode"), BW_STR("magic"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "value is not UTF-8", bw_options_set, options, BW_STR("lexicon"), BW_STR(NOT_UTF8));
  size_t count = bw_options_count(options);
  CHECK(count > 20);
  for (size_t i = 0; i < count; i++) {
    bw_option_info info = {.size = sizeof info};
    CHECK(bw_options_describe(options, i, &info, NULL) == BW_OK);
    CHECK(info.name.size > 0 && info.kind.size > 0 && info.allowed.size > 0 && info.help.size > 0);
    CHECK(bw_options_set(options, info.name.data, info.name.size, info.default_value.data, info.default_value.size, NULL) ==
          BW_OK);
  }

  /* Contradictions, and a file that cannot be used, are reported when the detector is made. */
  bw_error *error = NULL;
  CHECK(bw_options_set(options, BW_STR("lexicon"), BW_STR("/nowhere/lexicon"), NULL) == BW_OK);
  CHECK(bw_detector_new(options, &error) == NULL);
  CHECK(bw_error_code(error) == BW_INVALID_OPTION && has(bw_error_message(error), "/nowhere/lexicon"));
  bw_error_free(error);
  bw_options_free(options);
}

static void wrong_arguments(bw_detector *lad) {
  bw_lad_record r = record("text", 1.0);
  bw_lad_observed observed = {.size = sizeof observed, .score = 77.0};
  bw_detector_free(NULL);
  CHECK(bw_detector_next_event(NULL) == NULL);
  CHECK(bw_lad_template(NULL, BW_STR("host-1"), 1).data == NULL);
  CHECK(bw_lad_template(lad, NULL, 6, 1).data == NULL);
  CHECK(bw_lad_template(lad, BW_STR(NOT_UTF8), 1).data == NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_lad_observe, NULL, &r, &observed);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad_record is NULL", bw_lad_observe, lad, NULL, &observed);
  size_t sizes[] = {0, sizeof(size_t), sizeof r - 1, sizeof r + 1, 4104, (size_t)-1};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    r.size = sizes[i];
    CHECK_FAILS(BW_INVALID_ARGUMENT, "sizeof(bw_lad_record)", bw_lad_observe, lad, &r, &observed);
  }
  r = record("text", 1.0);
  observed.size = sizeof observed - 1;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad_observed.size", bw_lad_observe, lad, &r, &observed);
  observed.size = sizeof observed;
  r.stream.data = NULL;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad_record.stream is NULL", bw_lad_observe, lad, &r, &observed);
  r.stream = string(NOT_UTF8);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad_record.stream is not UTF-8", bw_lad_observe, lad, &r, &observed);
  r.stream.data = "a\0b", r.stream.size = 3;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "holds a NUL byte", bw_lad_observe, lad, &r, &observed);
  r = record("text", 1.0);
  r.text.data = NULL;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad_record.text is NULL", bw_lad_observe, lad, &r, &observed);
  r.text.data = "text", r.text.size = (size_t)-1;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad_record.text", bw_lad_observe, lad, &r, &observed);
  r = record("text", 1.0);
  r.program = string("x"), r.program.size = (size_t)-1;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad_record.program", bw_lad_observe, lad, &r, &observed);
  CHECK(observed.score == 77.0);

  r = record("text", 1.0);
  r.transport = (bw_lad_transport)4;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad_record.transport is 4; it must be one of bw_lad_transport, 0 to 3", bw_lad_observe, lad,
              &r, &observed);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_lad_feedback, NULL, BW_STR("host-1"), 1, BW_LAD_VERDICT_BENIGN);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "stream is NULL", bw_lad_feedback, lad, NULL, 6, 1, BW_LAD_VERDICT_BENIGN);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "verdict is 5", bw_lad_feedback, lad, BW_STR("host-1"), 1, (bw_lad_verdict)5);
  CHECK_FAILS(BW_NOT_FOUND, "\"host-1\" with a template 1", bw_lad_feedback, lad, BW_STR("host-1"), 1, BW_LAD_VERDICT_BENIGN);
  CHECK(counter(lad, "taken") == 0 && counter(lad, "refused") == 0 && counter(lad, "streams") == 0);
}

static void an_episode(bw_detector *lad, double *time) {
  calm(lad, time, 300);
  bw_lad_record r = record(DISK, *time);
  r.program = string("ker\xffnel\n");
  r.transport = BW_LAD_TRANSPORT_KERNEL;
  r.tag = string("host.kmsg");
  bw_lad_observed o = observe(lad, r);
  CHECK(o.failure && o.alarm && !o.training && o.score >= 0.5 && o.severity == o.score);
  CHECK(is(o.family, "storage"));
  CHECK(o.template_id > 0 && has(o.template_text, "Buffer I/O error"));
  bw_string template = bw_lad_template(lad, BW_STR("host-1"), o.template_id);
  CHECK(template.size == o.template_text.size && memcmp(template.data, o.template_text.data, template.size) == 0);
  CHECK(bw_lad_template(lad, BW_STR("host-1"), 999).data == NULL);
  CHECK(bw_lad_template(lad, BW_STR("host-2"), o.template_id).data == NULL);

  bw_event *event = bw_detector_next_event(lad);
  CHECK(event != NULL && bw_detector_next_event(lad) == NULL);
  CHECK(says(event, "event", "log_failure"));
  CHECK(says(event, "state", "raised"));
  CHECK(says(event, "stream", "host-1"));
  CHECK(says(event, "family", "storage"));
  CHECK(says(event, "sample", DISK));
  CHECK(says(event, "program", "ker\xef\xbf\xbdnel"));
  CHECK(says(event, "tag", "host.kmsg"));
  bw_field unit = {.size = sizeof unit};
  CHECK_FAILS(BW_NOT_FOUND, "no field \"unit\"", bw_event_find, event, BW_STR("unit"), &unit);
  CHECK(field(event, "template_id").kind == BW_FIELD_INTEGER && field(event, "template_id").integer == o.template_id);
  bw_event_free(event);

  /* An operator knows better. */
  CHECK(bw_lad_feedback(lad, BW_STR("host-1"), o.template_id, BW_LAD_VERDICT_BENIGN, NULL) == BW_OK);
  event = bw_detector_next_event(lad);
  CHECK(event != NULL && says(event, "state", "cleared"));
  bw_event_free(event);
  CHECK(!observe(lad, record(DISK, *time)).failure);
  CHECK(bw_lad_feedback(lad, BW_STR("host-1"), o.template_id, BW_LAD_VERDICT_NONE, NULL) == BW_OK);
  CHECK(observe(lad, record(DISK, *time)).failure);
}

/* What a language model says is a warning at most; what an operator says of a text holds for all hosts. */
static void questions(void) {
  bw_options *options = bw_options_new(BW_STR("lad"), NULL);
  CHECK(bw_options_set(options, BW_STR("questions"), BW_STR("8"), NULL) == BW_OK);
  bw_detector *lad = bw_detector_new(options, NULL);
  bw_options_free(options);
  double time = 1e9;
  calm(lad, &time, 300);
  CHECK(bw_lad_next_question(lad) == NULL && bw_lad_next_question(NULL) == NULL);
  bw_lad_record r = record("spare area 3 below limit", time);
  r.program = string("nvmed");
  observe(lad, r);
  bw_question *question = bw_lad_next_question(lad);
  CHECK(question != NULL && bw_lad_next_question(lad) == NULL);
  bw_question_info info = {.size = sizeof info};
  CHECK(bw_question_describe(question, &info, NULL) == BW_OK);
  CHECK(is(info.stream, "host-1") && is(info.template_text, "spare area <:NUM:> below limit") && is(info.program, "nvmed"));
  CHECK(info.count == 1 && info.template_id > 0 && info.benign_count > 0);
  CHECK(bw_question_benign(question, 0).size > 0 && bw_question_benign(question, info.benign_count).data == NULL);
  CHECK(bw_question_benign(NULL, 0).data == NULL);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_question is NULL", bw_question_describe, NULL, &info);

  CHECK_FAILS(BW_INVALID_ARGUMENT, "family is \"disks\"; it must be empty or one of memory, storage", bw_lad_answer, lad, info.id,
              BW_LAD_VERDICT_LIKELY_FAILURE, BW_STR("disks"));
  CHECK(counter(lad, "questions") == 1);
  CHECK(bw_lad_answer(lad, info.id, BW_LAD_VERDICT_LIKELY_FAILURE, BW_STR("storage"), NULL) == BW_OK);
  CHECK_FAILS(BW_NOT_FOUND, "there is no question 1", bw_lad_answer, lad, info.id, BW_LAD_VERDICT_NONE, NULL, 0);
  bw_question_free(question);
  bw_question_free(NULL);
  bw_event *event = bw_detector_next_event(lad);
  CHECK(event != NULL && says(event, "severity", "warning") && says(event, "family", "storage"));
  bw_event_free(event);

  bw_lad_text_feedback feedback = {.size = sizeof feedback, .verdict = BW_LAD_VERDICT_BENIGN};
  CHECK_FAILS(BW_INVALID_ARGUMENT, "template_text is NULL", bw_lad_feedback_by_text, lad, &feedback, NULL);
  feedback.template_text = string("");
  CHECK_FAILS(BW_INVALID_ARGUMENT, "template_text is empty", bw_lad_feedback_by_text, lad, &feedback, NULL);
  feedback.template_text = string("spare area <:*:> below limit");
  size_t applied = 9;
  CHECK(bw_lad_feedback_by_text(lad, &feedback, &applied, NULL) == BW_OK && applied == 1);
  event = bw_detector_next_event(lad);
  CHECK(event != NULL && says(event, "state", "cleared"));
  bw_event_free(event);
  r.stream = string("host-2");
  CHECK(!observe(lad, r).failure);
  feedback.verdict = BW_LAD_VERDICT_FAILURE, feedback.stream = string("host-1");
  CHECK(bw_lad_feedback_by_text(lad, &feedback, NULL, NULL) == BW_OK);
  CHECK(!observe(lad, r).failure);
  r.stream = string("host-1");
  CHECK(observe(lad, r).failure);
  feedback.verdict = (bw_lad_verdict)9;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "verdict is 9", bw_lad_feedback_by_text, lad, &feedback, NULL);
  bw_detector_free(lad);
}

static void whatever_bytes(bw_detector *lad, double time) {
  bw_lad_record r = record("", time);
  CHECK(observe(lad, r).outcome == BW_LAD_OUTCOME_TAKEN);
  r.text.data = "\xff\xfe\0 disk \0\x80 sda", r.text.size = 15;
  bw_lad_observed o = observe(lad, r);
  CHECK(o.outcome == BW_LAD_OUTCOME_TAKEN && o.template_text.size > 0);
  r.stream.size = 0;
  o = observe(lad, r);
  CHECK(o.outcome == BW_LAD_OUTCOME_REFUSED && o.template_id == 0 && o.template_text.data == NULL);
  r = record(DISK, NAN);
  o = observe(lad, r);
  CHECK(o.outcome == BW_LAD_OUTCOME_REFUSED && o.failure && is(o.family, "storage"));
  r = record("text", time);
  r.has_priority = true, r.priority = 4000000000u;
  CHECK(observe(lad, r).outcome == BW_LAD_OUTCOME_TAKEN);
  /* Nobody has to ask what a record is. */
  CHECK(bw_lad_observe(lad, &r, NULL, NULL) == BW_OK);
}

static void a_restart(bw_detector *lad, double time) {
  uint64_t taken = counter(lad, "taken"), windows = counter(lad, "windows"), templates = counter(lad, "templates");
  CHECK(taken > 300 && windows > 0 && templates > 2 && counter(lad, "bytes") > 0 && counter(lad, "failures") >= 2);
  CHECK(counter(lad, "refused") == 2 && counter(lad, "episodes") == 2 && counter(lad, "streams") == 1);
  CHECK(counter(lad, "open_episodes") == 1);
  CHECK(bw_detector_save(lad, BW_STR("lad.state"), NULL) == BW_OK);

  /* The same as bytes, which are written without the detector. */
  bw_error *error = NULL;
  CHECK(bw_detector_save_bytes(NULL, &error) == NULL && bw_error_code(error) == BW_INVALID_ARGUMENT);
  bw_error_free(error);
  bw_snapshot *snapshot = bw_detector_save_bytes(lad, NULL);
  CHECK(snapshot != NULL && bw_snapshot_size(snapshot) > 100 && bw_snapshot_size(NULL) == 0);
  CHECK_FAILS(BW_IO, "no-such-folder/state", bw_snapshot_write, snapshot, BW_STR("no-such-folder/state"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_snapshot is NULL", bw_snapshot_write, NULL, BW_STR("lad.bytes"));
  CHECK_FAILS(BW_INVALID_ARGUMENT, "path is empty", bw_snapshot_write, snapshot, BW_STR(""));
  CHECK(bw_snapshot_write(snapshot, BW_STR("lad.bytes"), NULL) == BW_OK);
  bw_snapshot_free(snapshot);
  bw_snapshot_free(NULL);
  bw_detector *from_bytes = detector("lad");
  CHECK(bw_detector_load(from_bytes, BW_STR("lad.bytes"), NULL) == BW_OK);
  CHECK(counter(from_bytes, "taken") == taken && counter(from_bytes, "open_episodes") == 1);
  bw_detector_free(from_bytes);

  bw_detector *restarted = detector("lad");
  CHECK_FAILS(BW_NOT_FOUND, "no.state", bw_detector_load, restarted, BW_STR("no.state"));
  CHECK(bw_detector_load(restarted, BW_STR("lad.state"), NULL) == BW_OK);
  CHECK(counter(restarted, "taken") == taken && counter(restarted, "windows") == windows);
  CHECK(counter(restarted, "templates") == templates);
  bw_lad_observed a = observe(lad, record(DISK, time)), b = observe(restarted, record(DISK, time));
  CHECK(a.template_id == b.template_id && a.score == b.score && a.alarm == b.alarm);

  /* A week of silence, and the stream is gone. */
  CHECK(bw_detector_advance(restarted, time + 8.0 * 86400.0, NULL) == BW_OK);
  CHECK(counter(restarted, "streams") == 0 && counter(restarted, "streams_forgotten") == 1);

  /* A snapshot made otherwise. */
  bw_options *paper = bw_options_new(BW_STR("lad"), NULL);
  CHECK(bw_options_set(paper, BW_STR("mode"), BW_STR("paper"), NULL) == BW_OK);
  bw_detector *other = bw_detector_new(paper, NULL);
  bw_options_free(paper);
  error = NULL;
  CHECK(bw_detector_load(other, BW_STR("lad.state"), &error) == BW_SNAPSHOT_UNUSABLE);
  CHECK(has(bw_error_message(error), "mode"));
  bw_error_free(error);
  bw_detector_free(other);
  bw_detector_free(restarted);
}

int main(void) {
  options();
  bw_detector *lad = detector("lad");
  wrong_arguments(lad);
  double time = 1.7e9;
  an_episode(lad, &time);
  whatever_bytes(lad, time);
  a_restart(lad, time);
  questions();
  /* What was not fetched is freed with the detector. */
  bw_detector_free(lad);
  return 0;
}
