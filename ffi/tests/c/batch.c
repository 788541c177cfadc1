/* Many samples and many records in one call are what they are one by one, and one bad entry does not lose the others. */
#include "check.h"

enum { VMS = 8, TICKS = 95, SAMPLES = VMS * TICKS };

/* The samples of `feed`, 80 ticks of ordinary work and 15 of a fault, in flat arrays. */
static struct {
  char text[8 * SAMPLES];
  bw_span hypervisors[SAMPLES], vms[SAMPLES], metrics[SAMPLES];
  double times[SAMPLES], intervals[SAMPLES], values[SAMPLES];
  bw_had_outcome outcomes[SAMPLES];
} samples;

static bw_had_batch had_batch(void) {
  int length = snprintf(samples.text, sizeof samples.text, "host-1cpu");
  for (int vm = 0; vm < VMS; vm++) length += snprintf(samples.text + length, sizeof samples.text - length, "vm-%d", vm);
  unsigned noise = 12345;
  for (int i = 0; i < SAMPLES; i++) {
    int vm = i % VMS, tick = i / VMS;
    bw_span host = {0, 6}, cpu = {6, 3}, name = {9 + 4 * vm, 4};
    samples.hypervisors[i] = host, samples.metrics[i] = cpu, samples.vms[i] = name;
    samples.times[i] = 1700000000.0 + 10.0 * tick, samples.intervals[i] = 10.0;
    noise = noise * 1103515245u + 12345u;
    samples.values[i] = (tick < 80 ? 20.0 : 60.0) * (1.0 + 0.02 * vm + 0.05 * ((noise >> 16) % 1000) / 1000.0);
    samples.outcomes[i] = (bw_had_outcome)77;
  }
  bw_had_batch batch = {.size = sizeof batch, .count = SAMPLES, .text = {samples.text, (size_t)length}};
  batch.hypervisors = samples.hypervisors, batch.vms = samples.vms, batch.metrics = samples.metrics;
  batch.times = samples.times, batch.intervals = samples.intervals, batch.values = samples.values;
  batch.outcomes = samples.outcomes;
  return batch;
}

static void same_as_one_by_one(void) {
  bw_had_batch batch = had_batch();
  bw_detector *many = detector("had"), *single = detector("had");
  size_t processed = 77;
  bw_error *error = NULL;
  CHECK(bw_had_observe_many(many, &batch, &processed, &error) == BW_OK && error == NULL && processed == SAMPLES);
  for (int i = 0; i < SAMPLES; i++) {
    bw_had_observation o = sample("", samples.times[i], samples.values[i]);
    o.vm.data = samples.text + samples.vms[i].start, o.vm.size = samples.vms[i].size;
    bw_had_outcome outcome;
    CHECK(bw_had_observe(single, &o, &outcome, NULL) == BW_OK && outcome == samples.outcomes[i]);
  }
  CHECK(counter(many, "taken") == SAMPLES);
  bw_event *of_many = bw_detector_next_event(many), *of_single = bw_detector_next_event(single);
  CHECK(of_many != NULL && of_single != NULL && says(of_many, "state", "raised"));
  CHECK(strcmp(bw_event_json(of_many).data, bw_event_json(of_single).data) == 0);
  bw_event_free(of_many);
  bw_event_free(of_single);
  bw_detector_free(single);

  /* Nobody has to ask what became of the samples, and intervals may be left to the option. */
  batch.outcomes = NULL, batch.intervals = NULL;
  CHECK(bw_had_observe_many(many, &batch, NULL, NULL) == BW_OK);
  CHECK(counter(many, "taken") + counter(many, "late") == 2 * SAMPLES);
  bw_detector_free(many);
}

static void one_bad_sample(void) {
  bw_had_batch batch = had_batch();
  batch.count = 12;
  bw_span outside = {(uint32_t)batch.text.size - 1, 2}, huge = {UINT32_MAX, UINT32_MAX};
  samples.hypervisors[1] = outside, samples.vms[3] = huge;
  samples.text[9 + 4 * 5] = (char)0xff; /* vm-5, in the samples 5 and (of the next tick) 13 */
  samples.text[9 + 4 * 6] = 0;          /* vm-6 */
  samples.values[7] = -1.0;
  bw_detector *had = detector("had");
  size_t processed = 0;
  CHECK(bw_had_observe_many(had, &batch, &processed, NULL) == BW_OK && processed == 8);
  for (int i = 0; i < 12; i++) {
    bool bad = i == 1 || i == 3 || i == 5 || i == 6;
    bw_had_outcome expected = bad ? BW_HAD_OUTCOME_INVALID : i == 7 ? BW_HAD_OUTCOME_REFUSED : BW_HAD_OUTCOME_TAKEN;
    CHECK(samples.outcomes[i] == expected);
  }
  CHECK(samples.outcomes[12] == (bw_had_outcome)77);
  CHECK(counter(had, "taken") == 7 && counter(had, "refused") == 1);
  bw_detector_free(had);
}

static void wrong_arrays(void) {
  bw_had_batch batch = had_batch();
  bw_detector *had = detector("had");
  size_t processed = 77;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_detector is NULL", bw_had_observe_many, NULL, &batch, &processed);
  CHECK(processed == 0);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_had_batch is NULL", bw_had_observe_many, had, NULL, NULL);
  struct {
    const void *array;
    const char *name;
  } arrays[] = {{&batch.hypervisors, "hypervisors"}, {&batch.vms, "vms"}, {&batch.metrics, "metrics"}, {&batch.times, "times"},
                {&batch.values, "values"}};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
    void *array, *none = NULL, *crooked;
    memcpy(&array, arrays[i].array, sizeof array);
    crooked = (char *)array + 1;
    memcpy((void *)arrays[i].array, &none, sizeof none);
    CHECK_FAILS(BW_INVALID_ARGUMENT, arrays[i].name, bw_had_observe_many, had, &batch, &processed);
    memcpy((void *)arrays[i].array, &crooked, sizeof crooked);
    CHECK_FAILS(BW_INVALID_ARGUMENT, "is not aligned to ", bw_had_observe_many, had, &batch, &processed);
    memcpy((void *)arrays[i].array, &array, sizeof array);
  }
  batch.count = (size_t)-1;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "more than the address space has", bw_had_observe_many, had, &batch, &processed);
  batch.count = SAMPLES, batch.text.size = (size_t)-1;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_had_batch.text", bw_had_observe_many, had, &batch, &processed);
  CHECK(counter(had, "taken") == 0 && samples.outcomes[0] == (bw_had_outcome)77);
  /* No sample needs no array, and no text makes every name invalid. */
  bw_had_batch empty = {.size = sizeof empty};
  CHECK(bw_had_observe_many(had, &empty, &processed, NULL) == BW_OK && processed == 0);
  batch = had_batch();
  batch.text.data = NULL;
  CHECK(bw_had_observe_many(had, &batch, &processed, NULL) == BW_OK && processed == 0);
  CHECK(samples.outcomes[0] == BW_HAD_OUTCOME_INVALID);
  bw_detector_free(had);
}

enum { RECORDS = 304 };

/* Records of ordinary life, and at the end those of a disk that fails. */
static struct {
  char text[64 * RECORDS];
  bw_span streams[RECORDS], texts[RECORDS], programs[RECORDS];
  double times[RECORDS], severities[RECORDS], scores[RECORDS];
  uint8_t priorities[RECORDS], transports[RECORDS], flags[RECORDS];
  uint64_t template_ids[RECORDS];
  bw_lad_outcome outcomes[RECORDS];
} records;

static bw_lad_batch lad_batch(void) {
  int length = snprintf(records.text, sizeof records.text, "host-1kernel");
  for (int i = 0; i < RECORDS; i++) {
    bw_span host = {0, 6}, kernel = {6, 6}, text = {(uint32_t)length, 0};
    const char *form = i < 300 ? "session %d opened" : "Buffer I/O error on dev sda1, logical block %d";
    length += snprintf(records.text + length, sizeof records.text - length, form, i);
    text.size = (uint32_t)length - text.start;
    records.streams[i] = host, records.programs[i] = kernel, records.texts[i] = text;
    records.times[i] = 1.7e9 + i, records.priorities[i] = i < 300 ? 255 : 3;
    records.transports[i] = i % 4 == 1 ? BW_LAD_TRANSPORT_PROCESS : BW_LAD_TRANSPORT_KERNEL;
    records.outcomes[i] = (bw_lad_outcome)77;
  }
  bw_lad_batch batch = {.size = sizeof batch, .count = RECORDS, .text = {records.text, (size_t)length}};
  batch.streams = records.streams, batch.texts = records.texts, batch.times = records.times;
  batch.priorities = records.priorities, batch.programs = records.programs, batch.transports = records.transports;
  batch.outcomes = records.outcomes, batch.template_ids = records.template_ids;
  batch.severities = records.severities, batch.scores = records.scores, batch.flags = records.flags;
  return batch;
}

static void records_same_as_one_by_one(void) {
  bw_lad_batch batch = lad_batch();
  bw_detector *many = detector("lad"), *single = detector("lad");
  size_t processed = 0;
  CHECK(bw_lad_observe_many(many, &batch, &processed, NULL) == BW_OK && processed == RECORDS);
  for (int i = 0; i < RECORDS; i++) {
    bw_lad_record r = {.size = sizeof r, .stream = string("host-1"), .program = string("kernel"), .time = records.times[i]};
    r.text.data = records.text + records.texts[i].start, r.text.size = records.texts[i].size;
    r.has_priority = records.priorities[i] < 8, r.priority = r.has_priority ? records.priorities[i] : 0;
    r.transport = (bw_lad_transport)records.transports[i];
    bw_lad_observed o = {.size = sizeof o};
    CHECK(bw_lad_observe(single, &r, &o, NULL) == BW_OK);
    CHECK(o.outcome == records.outcomes[i] && o.template_id == records.template_ids[i]);
    CHECK(o.severity == records.severities[i] && o.score == records.scores[i]);
    int flags = o.failure * BW_LAD_FLAG_FAILURE + o.alarm * BW_LAD_FLAG_ALARM + o.novel * BW_LAD_FLAG_NOVEL +
                o.training * BW_LAD_FLAG_TRAINING + o.unseen * BW_LAD_FLAG_UNSEEN +
                o.unpredicted * BW_LAD_FLAG_UNPREDICTED;
    CHECK(flags == records.flags[i]);
  }
  CHECK(records.flags[RECORDS - 1] & BW_LAD_FLAG_FAILURE && records.flags[0] == BW_LAD_FLAG_TRAINING);
  bw_event *of_many = bw_detector_next_event(many), *of_single = bw_detector_next_event(single);
  CHECK(of_many != NULL && of_single != NULL && says(of_many, "program", "kernel"));
  CHECK(strcmp(bw_event_json(of_many).data, bw_event_json(of_single).data) == 0);
  bw_event_free(of_many);
  bw_event_free(of_single);
  bw_detector_free(single);
  bw_detector_free(many);
}

static void one_bad_record(void) {
  bw_lad_batch batch = lad_batch();
  batch.count = 10;
  bw_span outside = {(uint32_t)batch.text.size, 1};
  records.streams[2] = outside, records.texts[4] = outside, records.programs[6] = outside;
  records.text[records.texts[8].start] = (char)0xff; /* A message may have any bytes. */
  records.streams[9].size = 0;
  bw_detector *lad = detector("lad");
  size_t processed = 0;
  CHECK(bw_lad_observe_many(lad, &batch, &processed, NULL) == BW_OK && processed == 7);
  for (int i = 0; i < 10; i++) {
    bool bad = i == 2 || i == 4 || i == 6;
    bw_lad_outcome expected = bad ? BW_LAD_OUTCOME_INVALID : i == 9 ? BW_LAD_OUTCOME_REFUSED : BW_LAD_OUTCOME_TAKEN;
    CHECK(records.outcomes[i] == expected);
    CHECK((records.template_ids[i] == 0) == (bad || i == 9));
  }
  CHECK(records.outcomes[10] == (bw_lad_outcome)77 && counter(lad, "taken") == 6);

  /* Everything but streams, messages and times is optional. */
  bw_lad_batch least = {.size = sizeof least, .count = 2, .text = batch.text, .streams = batch.streams, .texts = batch.texts};
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad_batch.times is NULL", bw_lad_observe_many, lad, &least, &processed);
  CHECK(processed == 0);
  least.times = batch.times;
  CHECK(bw_lad_observe_many(lad, &least, NULL, NULL) == BW_OK && counter(lad, "taken") == 8);
  least.transports = records.transports, records.transports[1] = 4;
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad_batch.transports[1] is 4; it must be one of bw_lad_transport, 0 to 3",
              bw_lad_observe_many, lad, &least, &processed);
  CHECK(processed == 0 && counter(lad, "taken") == 8);
  CHECK_FAILS(BW_INVALID_ARGUMENT, "bw_lad_batch is NULL", bw_lad_observe_many, lad, NULL, NULL);
  bw_detector_free(lad);
}

int main(void) {
  same_as_one_by_one();
  one_bad_sample();
  wrong_arrays();
  records_same_as_one_by_one();
  one_bad_record();
  return 0;
}
