/*
 * The side of the plugin that Fluent Bit calls: C in front of Go, because Go
 * must not be entered at all where it would never come back.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "_cgo_export.h"
#include "host.h"

/*
 * The process the library was loaded in. A daemon forks after that, and the
 * Go runtime doesn't survive a fork: its threads are gone, and the first call
 * that needs one waits for ever.
 */
static pid_t loaded_in;

__attribute__((constructor)) static void remember_process(void)
{
    loaded_in = getpid();
}

static int forked(void)
{
    return getpid() != loaded_in;
}

/*
 * Go turns the signals of a wrong memory access into a panic that can be
 * recovered, and hands on those that aren't its own. Fluent Bit installs its
 * handlers again at each SIGHUP and SIGCONT, over Go's, and the next such
 * panic would abort the process. So Go's are kept from the start and put back
 * before Go is entered. They are told apart by SA_ONSTACK, which every Go
 * runtime sets and Fluent Bit doesn't.
 */
static const int go_signals[] = {SIGSEGV, SIGFPE};
static struct sigaction go_actions[sizeof(go_signals) / sizeof(go_signals[0])];

static void keep_or_restore_signals(void)
{
    size_t i;

    for (i = 0; i < sizeof(go_signals) / sizeof(go_signals[0]); i++) {
        struct sigaction now;

        if (sigaction(go_signals[i], NULL, &now) != 0) {
            continue;
        }
        if (now.sa_flags & SA_ONSTACK) {
            if (!(go_actions[i].sa_flags & SA_ONSTACK)) {
                go_actions[i] = now;
            }
        } else if (go_actions[i].sa_flags & SA_ONSTACK) {
            sigaction(go_signals[i], &go_actions[i], NULL);
        }
    }
}

/* Fluent Bit names the worker threads of an output "flb-out-<name>.<n>-w<n>";
 * the kernel keeps 15 characters, which is as far as the plugin's name. */
static const char worker_name[] = "flb-out-dossier";

static int on_worker(void)
{
    char name[16] = "";

    prctl(PR_GET_NAME, name, 0, 0, 0);
    return strncmp(name, "flb-out-", 8) == 0;
}

/* host_has_workers says whether there is a worker thread of this plugin in
 * the process, flushed or not. */
int host_has_workers(void)
{
    int found = 0;
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;

    while (tasks != NULL && !found && (task = readdir(tasks)) != NULL) {
        char path[sizeof("/proc/self/task//comm") + sizeof(task->d_name)];
        char name[32] = "";
        FILE *comm;

        if (!isdigit((unsigned char) task->d_name[0])) {
            continue;
        }
        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
        comm = fopen(path, "re");
        if (comm == NULL) {
            continue;
        }
        if (fgets(name, sizeof(name), comm) != NULL) {
            found = strncmp(name, worker_name, sizeof(worker_name) - 1) == 0;
        }
        fclose(comm);
    }
    if (tasks != NULL) {
        closedir(tasks);
    }
    return found;
}

/*
 * Fluent Bit from 2.2.0 up to 3.2.2 marks its running configuration as reloading
 * at a SIGHUP and, where that reload is refused, never unmarks it: chunks are
 * then answered for the plugin with a retry, for ever, and SIGTERM is ignored.
 * With workers 0 the first reload hangs. The function looked for came with
 * 3.2.3, in an object that every build has (src/flb_lib.c); who doesn't export
 * it counts as older.
 */
int host_traps_reloads(void)
{
    return dlsym(RTLD_DEFAULT, "flb_input_set_test") == NULL;
}

static void fail(void)
{
    _exit(1);
}

/* host_end ends the process as a SIGTERM does, its log written, but with exit
 * code 1, so that who supervises it knows. */
int host_end(void)
{
    atexit(fail);
    return kill(getpid(), SIGTERM);
}

/* host_end_at_once is for where that did not work. */
int host_end_at_once(void)
{
    fail();
    return 0;
}

/* ---- what Fluent Bit calls ---- */

int FLBPluginPreRegister(int hot_reloading)
{
    if (forked()) {
        return 0;
    }
    return dossierPreRegister(hot_reloading);
}

int FLBPluginRegister(void *def)
{
    if (forked()) {
        return -1;
    }
    return dossierRegister(def);
}

int FLBPluginUnregister(void *def)
{
    if (!forked()) {
        dossierUnregister(def);
    }
    return 0;
}

int FLBPluginInit(void *plugin)
{
    if (forked()) {
        host_print(host_log(plugin), 1,
                   "[output:dossier] dossier: Fluent Bit became a daemon after it loaded the plugin, which a Go plugin does not survive: "
                   "set Daemon off (no -d) and let systemd or another supervisor run it in the background");
        return 0;
    }
    /* Go runs since it registered, and all plugins are loaded. */
    keep_or_restore_signals();
    return dossierInit(plugin);
}

int FLBPluginFlushCtx(void *context, const void *data, size_t size, char *tag)
{
    if (forked()) {
        return HOST_RETRY;
    }
    keep_or_restore_signals();
    return dossierFlush(context, (void *) data, size, tag, on_worker());
}

int FLBPluginExitCtx(void *context)
{
    /* NULL comes at a dry run, after a failed reload, and where another
     * output could not be started. */
    if (context == NULL || forked()) {
        return HOST_OK;
    }
    keep_or_restore_signals();
    return dossierExit(context);
}

int FLBPluginOutputPreRun(int hot_reload_enabled)
{
    if (forked()) {
        return 0;
    }
    return dossierPreRun(hot_reload_enabled);
}

void FLBPluginOutputPreExit(int hot_reloading)
{
    if (!forked()) {
        dossierPreExit(hot_reloading);
    }
}

/* ---- what the plugin asks of Fluent Bit ---- */

/* host_log returns the function that prints; it stays valid as long as the
 * process lives, unlike the table it stands in. */
host_log_print host_log(void *plugin)
{
    struct host_plugin *p = plugin;

    if (p != NULL && p->api != NULL && p->api->log_print != NULL) {
        return p->api->log_print;
    }
    return (host_log_print) dlsym(RTLD_DEFAULT, "flb_log_print");
}

/* The text is never the format: attackers write parts of it. */
void host_print(host_log_print print, int level, const char *text)
{
    if (print != NULL) {
        print(level, NULL, 0, "%s", text);
    }
}

/* host_log_level returns the most detailed level this output logs. */
int host_log_level(void *plugin)
{
    struct host_plugin *p = plugin;
    int level;

    if (p->api == NULL || p->api->output_log_check == NULL) {
        return 3;
    }
    for (level = 5; level > 0 && !p->api->output_log_check(p->output, level); level--) {
    }
    return level;
}

/* host_name returns the instance's name or alias, NULL where the host doesn't
 * tell. */
const char *host_name(void *plugin)
{
    struct host_plugin *p = plugin;
    const char *(*name)(void *) = (const char *(*)(void *)) dlsym(RTLD_DEFAULT, "flb_output_name");

    return name != NULL ? name(p->output) : NULL;
}

/*
 * Fluent Bit's metrics are no part of its interface for plugins, so every
 * function is looked up, and where one is missing there are no metrics. The
 * table's own entry is not initialised in hosts built without metrics.
 */
void *host_metrics(void *plugin)
{
    struct host_plugin *p = plugin;
    void *(*metrics)(void *) = (void *(*)(void *)) dlsym(RTLD_DEFAULT, "flb_output_get_cmt_instance");

    return metrics != NULL ? metrics(p->output) : NULL;
}

typedef void *(*create_metric)(void *, char *, char *, char *, char *, int, char **);
typedef int (*set_metric)(void *, uint64_t, double, int, char **);

static void *create(const char *function, void *metrics, char *name, char *help, int labels, char **keys)
{
    create_metric f = (create_metric) dlsym(RTLD_DEFAULT, function);

    return f != NULL ? f(metrics, "fluentbit", "dossier", name, help, labels, keys) : NULL;
}

void *host_counter(void *metrics, char *name, char *help, int labels, char **keys)
{
    return create("cmt_counter_create", metrics, name, help, labels, keys);
}

void *host_gauge(void *metrics, char *name, char *help, int labels, char **keys)
{
    return create("cmt_gauge_create", metrics, name, help, labels, keys);
}

/* 0, or not where the host can't. */
static int set(const char *function, void *metric, uint64_t now, double value, int labels, char **values)
{
    set_metric f = (set_metric) dlsym(RTLD_DEFAULT, function);

    return f != NULL ? f(metric, now, value, labels, values) : -1;
}

int host_counter_set(void *counter, uint64_t now, double value, int labels, char **values)
{
    return set("cmt_counter_set", counter, now, value, labels, values);
}

int host_gauge_set(void *gauge, uint64_t now, double value, int labels, char **values)
{
    return set("cmt_gauge_set", gauge, now, value, labels, values);
}
