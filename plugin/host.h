/*
 * What Dossier uses of Fluent Bit's binary interface for Go outputs, as far
 * as it goes back to Fluent Bit 2.0 (flb_plugin_proxy.h, flb_api.h,
 * proxy/go/go.c there). Structs are declared no longer than they are read.
 */
#ifndef DOSSIER_HOST_H
#define DOSSIER_HOST_H

#include <stddef.h>
#include <stdint.h>

enum { HOST_ERROR = 0, HOST_OK = 1, HOST_RETRY = 2 };

typedef void (*host_log_print)(int level, const char *file, int line, const char *format, ...);

/* struct flb_api */
struct host_api {
    const char *(*output_get_property)(const char *key, void *output);
    const char *(*input_get_property)(const char *key, void *input);
    void *(*output_get_cmt_instance)(void *output);
    void *(*input_get_cmt_instance)(void *input);
    host_log_print log_print;
    int (*input_log_check)(void *input, int level);
    int (*output_log_check)(void *output, int level);
};

/* struct flbgo_output_plugin: one for all instances, overwritten before each
 * call of FLBPluginInit. */
struct host_plugin {
    char *name;
    struct host_api *api;
    void *output;
    void *context;
};

host_log_print host_log(void *plugin);
void host_print(host_log_print print, int level, const char *text);
int host_log_level(void *plugin);
const char *host_name(void *plugin);
int host_has_workers(void);
int host_traps_reloads(void);
int host_end(void);
int host_end_at_once(void);
size_t host_properties(void *plugin, const char *known, char *into, size_t size);

void *host_metrics(void *plugin);
void *host_counter(void *metrics, char *name, char *help, int labels, char **keys);
void *host_gauge(void *metrics, char *name, char *help, int labels, char **keys);
int host_counter_set(void *counter, uint64_t now, double value, int labels, char **values);
int host_gauge_set(void *gauge, uint64_t now, double value, int labels, char **values);

#endif
