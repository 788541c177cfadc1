/* A host for the Fluent Bit plugin: exports the functions that the plugin looks for, loads the plugin as the real one does,
 * and does what it is told on its standard input.
 *
 *   fluentbit FILTER.so INPUT.so [KEY=VALUE]... [input.KEY=VALUE]...
 *
 * INPUT.so may be empty, for a pipeline without the companion input. Each command is a letter, a length of four bytes, the
 * lowest first, and so many bytes; each is answered in the same form:
 *
 *   F records   run the filter              M records that replace them, or N without any
 *   P records   run the second processor    as F
 *   C           run the input's collector   C records that it put into the pipeline
 *   S           the metrics                 S lines "NAME{LABEL} VALUE"
 *   H           the tables of options       H lines "filter|input NAME TYPE DEFAULT DESCRIPTION"
 *   R           end and start again         R nothing, or E where it does not start
 *   X           end                         X nothing
 *
 * The log goes to the standard error; a line that another thread than the host's own writes is marked as such. Exit status: 0; 2 the plugin cannot be loaded; 3 it does not start.
 *
 * Its own plugins, which it exports as the real one does, have the layout of 5.1 where it is not compiled with another:
 * FILTER_SIZE, INPUT_SIZE and STRIDE are the bytes of a filter's registration, of an input's, and of an option. With
 * FILTER_SIZE=72 it is a host before 2.2, which calls init where newer ones call pre_run. With MOVED, a field stands before the
 * name of a filter; with NO_PLUGINS it exports none.
 *
 * With PROCESSORS, the filter is the processor of an input "tail.0", and a second one that of "tail.1" (0), or of the same input
 * (1). With SECOND_COMPANION the companion input is there twice. With HELP_ONLY nothing is started.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#ifndef STRIDE
#define STRIDE 104
#endif
#ifndef FILTER_SIZE
#define FILTER_SIZE 88
#endif
#ifndef INPUT_SIZE
#define INPUT_SIZE 232
#endif
#ifndef PROCESSORS
#define PROCESSORS -1
#endif
#ifndef HELP_ONLY
#define HELP_ONLY 0
#endif

struct instance {
    int first[2];
    int log_level; /* where a filter has it */
    int more;
    char name[32];
    void *unused[3];
    void *parent; /* of a processor: its unit */
    void *context;
    const char *prefix; /* of its properties on the command line */
    void *configuration;
};

/* What is between a processor and the input that it belongs to. */
struct unit {
    int types[2];
    char *name;
    size_t stage;
    void *filter;
    void *more[10];
    void *processor;
};

struct processor {
    int is_active;
    char *name;
    void *lists[8];
    size_t stages;
    void *owner;
    int source_type, channel[2];
    void *metrics[6], *configuration;
};

struct filter_plugin {
    int event_type, flags;
    const char *name, *description;
    const char *config_map;
    int (*pre_run)(struct instance *, void *, void *);
    int (*init)(struct instance *, void *, void *);
    int (*filter)(const void *, size_t, const char *, int, void **, size_t *, struct instance *, void *, void *, void *);
    int (*exit)(void *, void *);
    void *notification;
    void *list[2];
};

struct input_plugin {
    int type;
    void *proxy;
    int flags;
    const char *name, *description;
    const char *config_map;
    int (*init)(struct instance *, void *, void *);
    int (*pre_run)(struct instance *, void *, void *);
    int (*collect)(struct instance *, void *, void *);
    void *rest[30]; /* as many as the newest host copies */
};

struct config_entry {
    int type;
    const char *name, *default_value;
    int flags, set_property;
    uintptr_t offset;
    const char *description;
};

struct metric {
    char name[128];
    char labels[4][64]; /* of its series, as many as are not empty */
    double values[4];
};

static char **properties;
static int pipeline; /* its address is the configuration */
static struct instance filter_instances[2], input_instance, second_input, sources[2];
#define filter_instance filter_instances[0]
static struct unit units[2];
static struct processor processors[2];
static int (*collector)(struct instance *, void *, void *);
static char *appended;
static size_t appended_size;
static struct metric metrics[64];
static size_t metric_count;

/* The functions that a plugin looks for in the program. */

void flb_log_print(int level, const char *file, int line, const char *format, ...)
{
    static const char *const words[] = {"", "error", "warn", "info", "debug"};
    (void) file, (void) line;
    /* A real host has a line of a thread that is not its own miss its log file. */
    fprintf(stderr, "%s[%s] ", gettid() == getpid() ? "" : "[foreign thread] ", words[level]);
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
}

static const char *property(const char *prefix, const char *key)
{
    for (char **p = properties; *p; p++) {
        const char *text = *p;
        size_t before = strlen(prefix), length = strlen(key);
        if (strncmp(text, prefix, before) == 0 && strncasecmp(text + before, key, length) == 0 && text[before + length] == '=')
            return text + before + length + 1;
    }
    return NULL;
}

const char *flb_filter_get_property(const char *key, struct instance *instance) { return property(instance->prefix, key); }
const char *flb_input_get_property(const char *key, struct instance *instance) { return property(instance->prefix, key); }
void flb_filter_set_context(struct instance *instance, void *context) { instance->context = context; }
void flb_input_set_context(struct instance *instance, void *context) { instance->context = context; }
const char *flb_filter_name(struct instance *instance) { return instance->name; }
const char *flb_input_name(struct instance *instance) { return instance->name; }

struct instance *flb_input_get_instance(void *config, int id)
{
    struct instance *all[] = {&sources[0], &sources[1], &input_instance, &second_input};
    return config == &pipeline && id >= 0 && id < 4 ? all[id] : NULL;
}

int flb_input_set_collector_time(struct instance *instance, int (*collect)(struct instance *, void *, void *), time_t seconds,
                                 long nanoseconds, void *config)
{
    (void) config;
    if ((instance != &input_instance && instance != &second_input) || seconds < 0 || seconds + nanoseconds <= 0)
        return -1;
    collector = collect;
    return 0;
}

int flb_input_log_append(struct instance *instance, const char *tag, size_t tag_length, const void *records, size_t size)
{
    if (instance != &input_instance || tag || tag_length)
        return -1;
    appended = realloc(appended, appended_size + size);
    memcpy(appended + appended_size, records, size);
    appended_size += size;
    return 0;
}

void *flb_input_get_cmt_instance(struct instance *instance) { return instance; }

static void *create(void *context, const char *space, const char *system, const char *name, const char *help, int labels,
                    char **keys)
{
    if (context != &input_instance || labels != 1 || strcmp(keys[0], "name") != 0 || !*help)
        return NULL;
    struct metric *metric = &metrics[metric_count++];
    snprintf(metric->name, sizeof metric->name, "%s_%s_%s", space, system, name);
    return metric;
}

static int set(struct metric *metric, uint64_t time, double value, int labels, char **values)
{
    if (labels != 1 || time == 0)
        return -1;
    for (int i = 0; i < 4; i++)
        if (!*metric->labels[i] || strcmp(metric->labels[i], values[0]) == 0) {
            snprintf(metric->labels[i], sizeof metric->labels[i], "%s", values[0]);
            metric->values[i] = value;
            return 0;
        }
    return -1;
}

void *cmt_counter_create(void *c, char *a, char *b, char *n, char *h, int l, char **k) { return create(c, a, b, n, h, l, k); }
void *cmt_gauge_create(void *c, char *a, char *b, char *n, char *h, int l, char **k) { return create(c, a, b, n, h, l, k); }
int cmt_counter_set(void *m, uint64_t t, double v, int l, char **k) { return set(m, t, v, l, k); }
int cmt_gauge_set(void *m, uint64_t t, double v, int l, char **k) { return set(m, t, v, l, k); }

/* The host's own plugins. */

#ifndef NO_PLUGINS
static int own_callback(void) { return -1; }

static struct {
    struct config_entry entry;
    char more[STRIDE - sizeof(struct config_entry)];
} own_options[] = {
    {{0, "regex", NULL, 1, 0, 0, "Keep records"}, {0}},
    {{0, "logical_op", "legacy", 0, 0, 0, "How"}, {0}},
    {{0, NULL, NULL, 0, 0, 0, NULL}, {0}},
};

struct {
    int event_type, flags;
#ifdef MOVED
    void *moved;
#endif
    const char *name, *description;
    void *config_map;
    void *callbacks[(FILTER_SIZE - 48) / 8];
    void *list[2];
} filter_grep_plugin = {
    .name = "grep",
    .description = "grep",
    .config_map = own_options,
#if FILTER_SIZE < 80
    .callbacks = {own_callback, own_callback, own_callback},
#else
    .callbacks = {NULL, own_callback, own_callback, own_callback},
#endif
};

struct {
    int type;
    void *proxy;
    int flags;
    const char *name, *description;
    void *config_map;
    void *callbacks[(INPUT_SIZE - 64) / 8];
    void *list[2];
} in_dummy_plugin = {
    .name = "dummy",
    .description = "dummy",
    .config_map = own_options,
    .callbacks = {own_callback},
};
#endif

/* What the host does. */

static void answer(char letter, const void *bytes, uint32_t size)
{
    putchar(letter);
    fwrite(&size, 1, 4, stdout);
    if (size)
        fwrite(bytes, 1, size, stdout);
    fflush(stdout);
}

static void *load(const char *path, const char *symbol, void *copy, size_t size)
{
    void *object = dlopen(path, RTLD_LAZY);
    if (!object) {
        fprintf(stderr, "dlopen: %s\n", dlerror());
        exit(2);
    }
    const void *found = dlsym(object, symbol);
    if (!found) {
        fprintf(stderr, "there is no %s in %s\n", symbol, path);
        exit(2);
    }
    memcpy(copy, found, size);
    return object;
}

static const struct config_entry *entry(const char *map, int index)
{
    return (const struct config_entry *) (map + (size_t) index * STRIDE);
}

static int known(const char *map, const char *key, size_t length)
{
    for (int i = 0; map && entry(map, i)->name; i++)
        if (strlen(entry(map, i)->name) == length && strncasecmp(entry(map, i)->name, key, length) == 0)
            return 1;
    return map == NULL;
}

static void describe(FILE *out, const char *kind, const char *map)
{
    for (int i = 0; map && entry(map, i)->name; i++) {
        const struct config_entry *e = entry(map, i);
        fprintf(out, "%s %s %d %s %s\n", kind, e->name, e->type, e->default_value ? e->default_value : "-", e->description);
    }
}

static void make_filter(int index)
{
    struct instance *instance = &filter_instances[index];
    memset(instance, 0, sizeof *instance);
    instance->log_level = 3;
    instance->prefix = "";
    strcpy(instance->name, "bellwether.0");
    instance->configuration = &pipeline;
    units[index].filter = instance;
    units[index].processor = &processors[index];
    processors[index].owner = &sources[PROCESSORS ? 0 : index];
    processors[index].configuration = &pipeline;
    instance->parent = PROCESSORS < 0 ? NULL : &units[index];
}

static int start(struct filter_plugin *filter, struct input_plugin *input)
{
    make_filter(0);
    make_filter(1);
    strcpy(sources[0].name, "tail.0");
    strcpy(sources[1].name, "tail.1");
    second_input.prefix = "input.";
    strcpy(second_input.name, "bellwether.2");
    input_instance.prefix = "input.";
    strcpy(input_instance.name, "bellwether.1");
    metric_count = 0;
    memset(metrics, 0, sizeof metrics);
    if (input->init && input->init(&input_instance, &pipeline, NULL) != 0)
        return 3;
#ifdef SECOND_COMPANION
    if (input->init && input->init(&second_input, &pipeline, NULL) != 0)
        return 3;
#endif
#if PROCESSORS >= 0
    if (filter->init(&filter_instances[1], &pipeline, NULL) != 0)
        return 3;
#endif
#if FILTER_SIZE < 80
    /* A host without pre_run has init in its place. */
    return filter->pre_run(&filter_instance, &pipeline, NULL) == 0 ? 0 : 3;
#else
    if (filter->pre_run && filter->pre_run(&filter_instance, &pipeline, NULL) != 0)
        return 3;
    return filter->init(&filter_instance, &pipeline, NULL) == 0 ? 0 : 3;
#endif
}

static void end(struct filter_plugin *filter)
{
    for (int i = 0; i < 2; i++) {
        if (filter_instances[i].context)
            filter->exit(filter_instances[i].context, &pipeline);
        filter_instances[i].context = NULL;
    }
}

int main(int count, char **arguments)
{
    struct filter_plugin filter;
    struct input_plugin input;
    void *filter_object, *input_object = NULL;
    if (count < 3)
        return 1;
    properties = arguments + 3;
    filter_object = load(arguments[1], "filter_bellwether_plugin", &filter, sizeof filter);
    memset(&input, 0, sizeof input);
    if (*arguments[2])
        input_object = load(arguments[2], "in_bellwether_plugin", &input, sizeof input);
    for (char **p = properties; *p; p++) {
        int of_input = strncmp(*p, "input.", 6) == 0;
        const char *key = of_input ? *p + 6 : *p;
        if (!known(of_input ? input.config_map : filter.config_map, key, strcspn(key, "="))) {
            fprintf(stderr, "[error] unknown configuration property '%s'\n", key);
            return 3;
        }
    }
    int status = HELP_ONLY ? 0 : start(&filter, &input);
    int letter;
    uint32_t size;
    char *bytes = NULL;
    while (status == 0 && (letter = getchar()) != EOF && fread(&size, 1, 4, stdin) == 4) {
        /* A chunk of exactly its size, so that reading past its end is seen. */
        bytes = malloc(size ? size : 1);
        if (fread(bytes, 1, size, stdin) != size)
            break;
        if (letter == 'F' || letter == 'P') {
            struct instance *instance = &filter_instances[letter == 'P'];
            void *out = NULL;
            size_t out_size = 0;
            int code = filter.filter(bytes, size, "the.tag", 7, &out, &out_size, instance, NULL, instance->context, &pipeline);
            if (code == 1 && out && out_size)
                answer('M', out, out_size);
            else if (code == 2 && !out)
                answer('N', NULL, 0);
            else
                status = 4;
            free(out);
        }
        else if (letter == 'C') {
            if (collector)
                collector(&input_instance, &pipeline, input_instance.context);
            answer('C', appended, appended_size);
            appended_size = 0;
        }
        else if (letter == 'S' || letter == 'H') {
            char *text;
            size_t length;
            FILE *out = open_memstream(&text, &length);
            if (letter == 'H') {
                describe(out, "filter", filter.config_map);
                describe(out, "input", input.config_map);
            }
            for (size_t i = 0; letter == 'S' && i < metric_count; i++)
                for (int j = 0; j < 4 && *metrics[i].labels[j]; j++)
                    fprintf(out, "%s{%s} %g\n", metrics[i].name, metrics[i].labels[j], metrics[i].values[j]);
            fclose(out);
            answer(letter, text, length);
            free(text);
        }
        else if (letter == 'R') {
            end(&filter);
            status = start(&filter, &input);
            answer(status == 0 ? 'R' : 'E', NULL, 0);
        }
        else if (letter == 'X') {
            end(&filter);
            answer('X', NULL, 0);
        }
        free(bytes);
        bytes = NULL;
    }
    free(bytes);
    free(appended);
    end(&filter);
    if (input_object)
        dlclose(input_object);
    dlclose(filter_object);
    return status;
}
