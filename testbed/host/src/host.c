/* A host for Fluent Bit output plugins in Go, for tests: it loads the shared object, lays out the same structures, calls
 * the same functions in the same order and from threads of the same names as Fluent Bit's plugin proxy does, and delivers
 * what it reads from standard input.
 *
 * Compiled with TRAP it is as Fluent Bit 2.2.0 to 3.2.2 in one thing: a reload that is refused leaves the running context
 * marked as reloading, so that each flush is answered with a retry, the plugin not asked, and SIGTERM is ignored.
 *
 * Frames on standard input, numbers big-endian:
 *   u8 op, u32 instance, u32 length of tag, u32 length of data, tag, data
 *   F  deliver the data to the instance
 *   R  hot reload; data: lines key=value that replace the properties of the instance, empty for none
 *   B  hot reload with a configuration that is wrong elsewhere: the new plugin is registered and dropped, the old goes on
 *   S  what a SIGCONT does to Fluent Bit: install its SIGSEGV handler again
 *   X  shut down; so do the end of input and SIGTERM
 * Standard output is one JSON object a line behind "@N ", standard error the log. Before the object the bytes RS "@N" RS
 * are written to standard error, so that who reads both knows which lines of the log came before it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { FLB_ERROR = 0, FLB_OK = 1, FLB_RETRY = 2 };
enum { PROXY_OUTPUT = 2, PROXY_GOLANG = 11, FLAG_TLS = 2 | 4 };
enum { LEVEL_ERROR = 1, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG, LEVEL_TRACE };

/* ---- what the plugin sees ---- */

struct proxy_def { /* 32 bytes up to 4.2.2, 40 from 4.2.3, 48 from 5.1.1 */
    int type, proxy, flags;
    char *name, *description;
    int event_type;
    void *config_map;
};

struct instance;

struct api {
    const char *(*output_get_property)(const char *, struct instance *);
    const char *(*input_get_property)(const char *, struct instance *);
    void *(*output_get_cmt_instance)(struct instance *);
    void *(*input_get_cmt_instance)(struct instance *);
    void (*log_print)(int, const char *, int, const char *, ...);
    int (*input_log_check)(struct instance *, int);
    int (*output_log_check)(struct instance *, int);
    const char *(*custom_get_property)(const char *, struct instance *); /* from 4.0.3 */
    int (*custom_log_check)(struct instance *, int);
};

struct proxy_context {
    void *remote_context;
    void *proxy;
};

struct output_plugin { /* one for each shared object: all instances share it */
    char *name;
    struct api *api;
    struct instance *o_ins;
    struct proxy_context *context;
    void *callbacks[8];
};

/* ---- the host's own ---- */

struct property {
    char *key, *value;
    struct property *next;
};

struct job {
    enum { JOB_FLUSH, JOB_START, JOB_STOP } what;
    struct instance *ins;
    char *tag;
    uint8_t *data;
    size_t len;
    uint64_t seq;
    struct job *next;
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct job *first, **last;
};

struct worker {
    pthread_t thread;
    struct queue queue;
    char name[64];
    struct context *ctx;
};

enum { ALIVE = 0x0a11f1e1, GONE = 0xdddddddd };

struct instance {
    uint32_t magic; /* GONE after exit: any use of it by the plugin is caught */
    int index, workers, next_worker, log_level;
    char *alias;
    char name[128];
    struct property *properties;
    struct proxy_context *context;
    struct worker *pool;
    struct context *ctx;
};

struct context { /* one for each load of the configuration: a hot reload makes another */
    void *so;
    struct proxy_def *def;
    struct output_plugin *plugin;
    struct instance **instances;
    int count, started, hot, reloading;
    struct worker pipeline;
    pthread_mutex_t lock;
    pthread_cond_t ready;
    enum { STARTING, RUNNING, FAILED } state;
    int (*init)(struct output_plugin *);
    int (*flush_ctx)(void *, const void *, size_t, char *);
    int (*flush)(const void *, size_t, const char *);
    int (*exit_ctx)(void *);
    int (*exit)(void);
};

static struct {
    const char *plugin;
    size_t def_size, coro_stack;
    int dry_run, fail_sibling, hot_reload;
} opt = {.def_size = 48, .coro_stack = 65536};

static struct instance *configured; /* the instances as the command line has them */
static int configured_count;

static __attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "host: ");
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    exit(2);
}

static void *must(void *p)
{
    if (!p) die("out of memory");
    return p;
}

static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;

static __attribute__((format(printf, 1, 2))) void say(const char *fmt, ...)
{
    static unsigned long long said;
    va_list ap;
    va_start(ap, fmt);
    pthread_mutex_lock(&out_lock);
    said++;
    fprintf(stderr, "\x1e@%llu\x1e", said);
    printf("@%llu ", said);
    vprintf(fmt, ap);
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&out_lock);
    va_end(ap);
}

/* ---- the interface for plugins ---- */

#ifndef TRAP
/* From 3.2.3 on; the plugin tells versions apart by it. */
int flb_input_set_test(void) { return -1; }
#endif

static struct instance *living(struct instance *ins, const char *what)
{
    if (!ins || ins->magic != ALIVE) {
        fprintf(stderr, "host: the plugin called %s with an instance that is no more\n", what);
        abort();
    }
    return ins;
}

/* Fluent Bit's core takes these before a plugin could read them. */
static int consumed(const char *key)
{
    static const char *const keys[] = {"match", "match_regex", "alias", "log_level", "log_suppress_interval", "host",
        "port", "ipv6", "retry_limit", "tls", "storage.total_limit_size", "workers", "name", NULL};
    for (int i = 0; keys[i]; i++)
        if (!strcasecmp(keys[i], key)) return 1;
    return !strncasecmp(key, "tls.", 4) || !strncasecmp(key, "net.", 4) || !strncasecmp(key, "oauth2", 6);
}

static const char *get_property(const char *key, struct instance *ins)
{
    if (consumed(key)) return NULL;
    for (struct property *p = living(ins, "output_get_property")->properties; p; p = p->next)
        if (!strcasecmp(p->key, key)) return *p->value ? p->value : NULL;
    return NULL;
}

static const char *no_property(const char *key, struct instance *ins)
{
    (void)key, (void)ins;
    return NULL;
}

static void *no_cmt(struct instance *ins)
{
    living(ins, "output_get_cmt_instance");
    return NULL;
}

static int log_check(struct instance *ins, int level) { return level <= living(ins, "output_log_check")->log_level; }

static void log_print(int level, const char *file, int line, const char *fmt, ...)
{
    static const char *const names[] = {"help", "error", "warn", "info", "debug", "trace"};
    (void)file, (void)line;
    char text[4088], when[32];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct timeval now;
    struct tm tm;
    gettimeofday(&now, NULL);
    localtime_r(&now.tv_sec, &tm);
    strftime(when, sizeof when, "%Y/%m/%d %H:%M:%S", &tm);
    char record[4200];
    int n = snprintf(record, sizeof record, "[%s.%03ld] [%5s] %s\n", when, now.tv_usec / 1000,
        level >= 0 && level <= 5 ? names[level] : "?", text);
    if (n >= (int)sizeof record) n = sizeof record - 1;
    if (write(STDERR_FILENO, record, n) < 0) return;
}

/* Fluent Bit's executable exports its symbols; plugins look this one up. */
const char *flb_output_name(struct instance *ins)
{
    living(ins, "flb_output_name");
    return ins->alias ? ins->alias : ins->name;
}

static struct api api = {get_property, no_property, no_cmt, no_cmt, log_print, log_check, log_check, no_property, log_check};

/* ---- queues and coroutines ---- */

static void queue_init(struct queue *q)
{
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->filled, NULL);
    q->first = NULL;
    q->last = &q->first;
}

static void put(struct queue *q, struct job *j)
{
    j->next = NULL;
    pthread_mutex_lock(&q->lock);
    *q->last = j;
    q->last = &j->next;
    pthread_cond_signal(&q->filled);
    pthread_mutex_unlock(&q->lock);
}

static void put_new(struct queue *q, int what)
{
    struct job *j = must(calloc(1, sizeof *j));
    j->what = what;
    put(q, j);
}

static struct job *get(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    while (!q->first) pthread_cond_wait(&q->filled, &q->lock);
    struct job *j = q->first;
    q->first = j->next;
    if (!q->first) q->last = &q->first;
    pthread_mutex_unlock(&q->lock);
    return j;
}

struct coroutine {
    ucontext_t caller, self;
    struct context *ctx;
    struct job *job;
    int rc;
};

static void call_flush(struct coroutine *c)
{
    struct context *ctx = c->ctx;
    struct job *j = c->job;
    if (ctx->flush_ctx)
        c->rc = ctx->flush_ctx(j->ins->context->remote_context, j->data, j->len, j->tag);
    else
        c->rc = ctx->flush(j->data, j->len, j->tag);
}

static void coroutine_entry(unsigned int hi, unsigned int lo)
{
    struct coroutine *c = (struct coroutine *)(((uintptr_t)hi << 32) | lo);
    call_flush(c);
}

static const char *thread_name(void)
{
    static __thread char name[17];
    prctl(PR_GET_NAME, name, 0, 0, 0);
    return name;
}

/* A flush runs on a small stack of its own, as Fluent Bit's coroutines do. A page below it catches what overflows. */
static void do_flush(struct context *ctx, struct job *j)
{
    struct timespec a, b;
    struct coroutine *c = must(calloc(1, sizeof *c));
    c->ctx = ctx;
    c->job = j;
    clock_gettime(CLOCK_MONOTONIC, &a);
    if (ctx->reloading) {
        c->rc = FLB_RETRY;
    } else if (opt.coro_stack == 0) {
        call_flush(c);
    } else {
        long page = sysconf(_SC_PAGESIZE);
        size_t size = (opt.coro_stack + page - 1) / page * page;
        char *stack = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (stack == MAP_FAILED) die("no memory for a coroutine");
        mprotect(stack, page, PROT_NONE);
        getcontext(&c->self);
        c->self.uc_stack.ss_sp = stack + page;
        c->self.uc_stack.ss_size = size;
        c->self.uc_link = &c->caller;
        makecontext(&c->self, (void (*)(void))coroutine_entry, 2, (unsigned int)((uintptr_t)c >> 32), (unsigned int)(uintptr_t)c);
        swapcontext(&c->caller, &c->self);
        munmap(stack, size + page);
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    /* The memory is the plugin's only until now: a view that was kept shows 0xdd. */
    memset(j->data, 0xdd, j->len);
    memset(j->tag, 0xdd, strlen(j->tag));
    free(j->data);
    free(j->tag);
    say("{\"op\":\"flush\",\"seq\":%llu,\"instance\":%d,\"rc\":%d,\"us\":%lld,\"thread\":\"%s\"}", (unsigned long long)j->seq,
        j->ins->index, c->rc, (b.tv_sec - a.tv_sec) * 1000000LL + (b.tv_nsec - a.tv_nsec) / 1000, thread_name());
    free(c);
    free(j);
}

/* ---- life cycle ---- */

static void *symbol(struct context *ctx, const char *name) { return dlsym(ctx->so, name); }

static struct context *load(int hot)
{
    struct context *ctx = must(calloc(1, sizeof *ctx));
    pthread_mutex_init(&ctx->lock, NULL);
    pthread_cond_init(&ctx->ready, NULL);
    queue_init(&ctx->pipeline.queue);
    ctx->pipeline.ctx = ctx;
    ctx->so = dlopen(opt.plugin, RTLD_LAZY);
    if (!ctx->so) die("error opening plugin %s: '%s'", opt.plugin, dlerror());

    int (*pre_register)(int) = symbol(ctx, "FLBPluginPreRegister");
    if (pre_register && pre_register(hot) == -1) {
        say("{\"op\":\"register\",\"rc\":-1,\"by\":\"FLBPluginPreRegister\"}");
        return NULL;
    }
    int (*reg)(struct proxy_def *) = symbol(ctx, "FLBPluginRegister");
    if (!reg) die("no FLBPluginRegister in %s", opt.plugin);
    /* Older hosts leave the memory as it comes; bytes behind the structure are not the plugin's. */
    enum { GUARD = 64 };
    unsigned char *memory = must(malloc(opt.def_size + GUARD));
    memset(memory, opt.def_size == 32 ? 0xa5 : 0, opt.def_size);
    memset(memory + opt.def_size, 0x5a, GUARD);
    ctx->def = (struct proxy_def *)memory;
    int rc = reg(ctx->def), overrun = 0;
    for (int i = 0; i < GUARD; i++) overrun |= memory[opt.def_size + i] != 0x5a;
    if (rc == -1) {
        say("{\"op\":\"register\",\"rc\":-1,\"overrun\":%s}", overrun ? "true" : "false");
        return NULL;
    }
    say("{\"op\":\"register\",\"rc\":%d,\"overrun\":%s,\"type\":%d,\"proxy\":%d,\"flags\":%d,\"name\":\"%s\",\"config_map\":%s}", rc,
        overrun ? "true" : "false", ctx->def->type, ctx->def->proxy, ctx->def->flags, ctx->def->name,
        opt.def_size >= 48 && ctx->def->config_map ? "true" : "false");
    if (ctx->def->type != PROXY_OUTPUT || ctx->def->proxy != PROXY_GOLANG) die("not a Go output plugin");

    ctx->init = symbol(ctx, "FLBPluginInit");
    ctx->flush = symbol(ctx, "FLBPluginFlush");
    ctx->flush_ctx = symbol(ctx, "FLBPluginFlushCtx");
    ctx->exit = symbol(ctx, "FLBPluginExit");
    ctx->exit_ctx = symbol(ctx, "FLBPluginExitCtx");
    if (!ctx->init) die("could not load FLBPluginInit");
    ctx->plugin = must(calloc(1, sizeof *ctx->plugin));
    ctx->plugin->name = ctx->def->name;
    ctx->plugin->api = &api;

    ctx->count = configured_count;
    ctx->hot = hot;
    ctx->instances = must(calloc(ctx->count, sizeof *ctx->instances));
    for (int i = 0; i < ctx->count; i++) {
        struct instance *ins = must(malloc(sizeof *ins));
        *ins = configured[i];
        ins->magic = ALIVE;
        ins->index = i;
        ins->ctx = ctx;
        ins->context = must(calloc(1, sizeof *ins->context));
        snprintf(ins->name, sizeof ins->name, "%s.%d", ctx->def->name, i);
        ctx->instances[i] = ins;
        for (struct property *p = ins->properties; p; p = p->next)
            if (!strcasecmp(p->key, "tls") && !strcasecmp(p->value, "on") && !(ctx->def->flags & FLAG_TLS))
                die("[config] %s does not support TLS", ins->name);
    }
    return ctx;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    prctl(PR_SET_NAME, w->name, 0, 0, 0);
    for (;;) {
        struct job *j = get(&w->queue);
        if (j->what == JOB_STOP) {
            free(j);
            return NULL;
        }
        do_flush(w->ctx, j);
    }
}

static void exit_instance(struct context *ctx, struct instance *ins, int hot)
{
    for (int i = 0; ins->pool && i < ins->workers; i++) { /* what is queued is delivered first */
        put_new(&ins->pool[i].queue, JOB_STOP);
        pthread_join(ins->pool[i].thread, NULL);
    }
    void (*pre_exit)(int) = symbol(ctx, "FLBPluginOutputPreExit");
    if (pre_exit) pre_exit(hot);
    int rc = 0;
    if (ctx->exit_ctx)
        rc = ctx->exit_ctx(ins->context->remote_context);
    else if (ctx->exit)
        rc = ctx->exit();
    say("{\"op\":\"exit\",\"instance\":%d,\"rc\":%d,\"context\":%s,\"thread\":\"%s\"}", ins->index, rc,
        ins->context->remote_context ? "true" : "false", thread_name());
    ins->magic = GONE; /* kept, so that whoever still uses it is told */
    memset(ins->name, 0xdd, sizeof ins->name);
    memset(ins->context, 0xdd, sizeof *ins->context);
}

static void set_state(struct context *ctx, int state)
{
    pthread_mutex_lock(&ctx->lock);
    ctx->state = state;
    pthread_cond_signal(&ctx->ready);
    pthread_mutex_unlock(&ctx->lock);
}

/* What Fluent Bit does where an output can't be initialised: the others exit, the failing one gets nothing. */
static int give_up(struct context *ctx, int failing)
{
    log_print(LEVEL_ERROR, NULL, 0, "%s", "[engine] output initialization failed");
    for (int i = 0; i < ctx->count; i++)
        if (i != failing) exit_instance(ctx, ctx->instances[i], 0);
    return -1;
}

/* start_all is the engine's start: each instance is initialised and gets its workers, then all are told to run. */
static int start_all(struct context *ctx)
{
    for (int i = 0; i < ctx->count; i++) {
        struct instance *ins = ctx->instances[i];
        ctx->plugin->o_ins = ins;
        ctx->plugin->context = ins->context;
        int rc = ctx->init(ctx->plugin);
        say("{\"op\":\"init\",\"instance\":%d,\"rc\":%d,\"thread\":\"%s\"}", i, rc, thread_name());
        if (rc <= 0) return give_up(ctx, i);
        if (ins->workers > 0) {
            ins->pool = must(calloc(ins->workers, sizeof *ins->pool));
            for (int w = 0; w < ins->workers; w++) {
                queue_init(&ins->pool[w].queue);
                ins->pool[w].ctx = ctx;
                snprintf(ins->pool[w].name, sizeof ins->pool[w].name, "flb-out-%s-w%d", flb_output_name(ins), w);
                if (pthread_create(&ins->pool[w].thread, NULL, worker_main, &ins->pool[w])) die("no thread");
            }
        }
        if (opt.fail_sibling) return give_up(ctx, -1); /* another plugin's instance comes next and fails */
    }
    int (*pre_run)(int) = symbol(ctx, "FLBPluginOutputPreRun");
    for (int i = 0; i < ctx->count && pre_run; i++) pre_run(opt.hot_reload);
    return 0;
}

static void *pipeline_main(void *arg)
{
    struct context *ctx = arg;
    prctl(PR_SET_NAME, "flb-pipeline", 0, 0, 0);
    if (start_all(ctx) < 0) {
        set_state(ctx, FAILED);
        return NULL;
    }
    set_state(ctx, RUNNING);
    for (;;) {
        struct job *j = get(&ctx->pipeline.queue);
        if (j->what == JOB_STOP) {
            free(j);
            break;
        }
        struct instance *ins = j->ins;
        if (ins->workers == 0) {
            do_flush(ctx, j);
        } else { /* strictly in turn, however busy they are */
            put(&ins->pool[ins->next_worker].queue, j);
            ins->next_worker = (ins->next_worker + 1) % ins->workers;
        }
    }
    for (int i = 0; i < ctx->count; i++) exit_instance(ctx, ctx->instances[i], ctx->hot);
    return NULL;
}

static void run(struct context *ctx)
{
    if (pthread_create(&ctx->pipeline.thread, NULL, pipeline_main, ctx)) die("no thread");
    pthread_mutex_lock(&ctx->lock);
    while (ctx->state == STARTING) pthread_cond_wait(&ctx->ready, &ctx->lock);
    pthread_mutex_unlock(&ctx->lock);
    if (ctx->state == FAILED) {
        pthread_join(ctx->pipeline.thread, NULL);
        say("{\"op\":\"failed\"}");
        exit(255);
    }
    say("{\"op\":\"running\"}");
}

static void unregister(struct context *ctx)
{
    void (*unreg)(struct proxy_def *) = symbol(ctx, "FLBPluginUnregister");
    if (unreg) unreg(ctx->def);
    free(ctx->def);
    free(ctx->plugin);
    ctx->def = NULL;
    dlclose(ctx->so); /* does nothing: Go's shared objects stay */
}

static void stop(struct context *ctx, int hot)
{
    ctx->hot = hot;
    put_new(&ctx->pipeline.queue, JOB_STOP);
    pthread_join(ctx->pipeline.thread, NULL);
    unregister(ctx);
}

/* A configuration that was loaded and never started. */
static void drop(struct context *ctx)
{
    for (int i = 0; i < ctx->count; i++) exit_instance(ctx, ctx->instances[i], 0);
    unregister(ctx);
}

/* ---- signals ---- */

static void on_segv(int sig)
{
    static const char text[] = "[engine] caught signal (SIGSEGV)\n";
    (void)sig;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(3);
    abort();
}

static int term_pipe[2]; /* a byte for each SIGTERM */

static void on_term(int sig)
{
    (void)sig;
    if (write(term_pipe[1], "", 1) < 0) _exit(3);
}

static void install_signals(void)
{
    struct sigaction act;
    memset(&act, 0, sizeof act);
    act.sa_flags = SA_RESTART;
    act.sa_handler = on_term;
    sigaction(SIGTERM, &act, NULL);
    act.sa_flags = 0;
    act.sa_handler = on_segv; /* as Fluent Bit: not on the alternate stack */
    sigaction(SIGSEGV, &act, NULL);
}

/* ---- command line and input ---- */

static void set_property(struct instance *ins, const char *pair)
{
    const char *eq = strchr(pair, '=');
    if (!eq) die("-p %s: want key=value", pair);
    struct property *p = must(calloc(1, sizeof *p)), **end = &ins->properties;
    p->key = must(strndup(pair, eq - pair));
    p->value = must(strdup(eq + 1));
    while (*end) end = &(*end)->next; /* of a key given twice the first counts */
    *end = p;
    if (!strcasecmp(p->key, "alias")) ins->alias = p->value;
    if (!strcasecmp(p->key, "workers")) ins->workers = atoi(p->value);
    if (!strcasecmp(p->key, "log_level")) {
        static const char *const names[] = {"off", "error", "warn", "info", "debug", "trace"};
        for (int i = 0; i < 6; i++)
            if (!strcasecmp(p->value, names[i])) ins->log_level = i;
    }
}

static struct instance *new_instance(void)
{
    configured = must(realloc(configured, (configured_count + 1) * sizeof *configured));
    struct instance *ins = &configured[configured_count++];
    memset(ins, 0, sizeof *ins);
    ins->log_level = LEVEL_INFO;
    return ins;
}

static void parse(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;
        struct instance *ins = configured_count ? &configured[configured_count - 1] : NULL;
        if (!strcmp(a, "--dry-run")) { opt.dry_run = 1; continue; }
        if (!strcmp(a, "--fail-sibling")) { opt.fail_sibling = 1; continue; }
        if (!strcmp(a, "--hot-reload")) { opt.hot_reload = 1; continue; }
        if (!strcmp(a, "--instance")) { new_instance(); continue; }
        if (!v) die("%s: unknown option or no value", a);
        i++;
        if (!strcmp(a, "--plugin")) opt.plugin = v;
        else if (!strcmp(a, "--def-size")) opt.def_size = atoi(v);
        else if (!strcmp(a, "--coro-stack")) opt.coro_stack = atoi(v);
        else if (!strcmp(a, "-p")) set_property(ins ? ins : new_instance(), v);
        else die("unknown option %s", a);
    }
    if (!opt.plugin) die("--plugin PATH is missing");
    if (opt.def_size != 32 && opt.def_size != 40 && opt.def_size != 48) die("--def-size is 32, 40 or 48");
    if (!configured_count) new_instance();
}

static struct context *current;

/* wait_input waits for input; 0 where a SIGTERM comes first. */
static int wait_input(void)
{
    for (;;) {
        struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = term_pipe[0], .events = POLLIN}};
        char byte;
        if (poll(fds, 2, -1) < 0) continue;
        if (fds[1].revents && read(term_pipe[0], &byte, 1) == 1 && !current->reloading) return 0;
        if (fds[0].revents) return 1;
    }
}

static int read_full(void *p, size_t n)
{
    for (char *at = p; n > 0;) {
        if (!wait_input()) return 0;
        ssize_t got = read(STDIN_FILENO, at, n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return 0;
        at += got;
        n -= got;
    }
    return 1;
}

static void replace_properties(uint32_t index, char *lines)
{
    if (!*lines) return;
    struct instance *ins = &configured[index], fresh;
    memset(&fresh, 0, sizeof fresh);
    fresh.log_level = LEVEL_INFO;
    *ins = fresh;
    for (char *save, *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) set_property(ins, line);
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    if (pipe2(term_pipe, O_CLOEXEC) < 0) die("no pipe");
    install_signals();
    struct context *ctx = load(0);
    if (!ctx) die("the plugin refused to register");
    if (opt.dry_run) {
        drop(ctx);
        say("{\"op\":\"end\"}");
        return 0;
    }
    current = ctx;
    run(ctx);
    uint64_t seq = 0;
    for (;;) {
        current = ctx;
        struct __attribute__((packed)) {
            uint8_t op;
            uint32_t instance, tag, data;
        } head;
        if (!read_full(&head, sizeof head)) head.op = 'X';
        if (head.op == 'X') break;
        uint32_t index = ntohl(head.instance), tag_len = ntohl(head.tag), data_len = ntohl(head.data);
        if (index >= (uint32_t)ctx->count) die("there is no instance %u", index);
        char *tag = must(malloc(tag_len + 1));
        /* To the byte: memory tools see a read behind the end. */
        uint8_t *data = must(malloc(data_len ? data_len : 1));
        if (!read_full(tag, tag_len) || !read_full(data, data_len)) break;
        tag[tag_len] = 0;
        if (head.op == 'F') {
            struct job *j = must(calloc(1, sizeof *j));
            j->what = JOB_FLUSH;
            j->ins = ctx->instances[index];
            j->tag = tag;
            j->data = data;
            j->len = data_len;
            j->seq = ++seq;
            put(&ctx->pipeline.queue, j);
            continue;
        }
        if (head.op == 'S') {
            install_signals();
        } else if (head.op == 'R') {
            char *lines = must(strndup((char *)data, data_len));
            struct instance before = configured[index];
            replace_properties(index, lines);
            struct context *next = load(1);
            if (next) {
                stop(ctx, 1);
                ctx = next;
                run(ctx);
            } else {
                configured[index] = before;
#ifdef TRAP
                ctx->reloading = 1;
#endif
            }
            say("{\"op\":\"reload\",\"rc\":%d}", next ? 0 : -1);
            free(lines);
        } else if (head.op == 'B') {
            struct context *next = load(1);
            if (next) drop(next);
            say("{\"op\":\"reload\",\"rc\":-1}");
        } else {
            die("unknown op %d", head.op);
        }
        free(tag);
        free(data);
    }
    stop(ctx, 0);
    say("{\"op\":\"end\"}");
    return 0;
}
