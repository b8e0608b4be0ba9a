/*
 * The names of all properties of an output. Fluent Bit gives a plugin only the
 * value of a name it asks for, and of a name that is there several times, as
 * a list in YAML is stored, only the first. So the list is looked for where
 * Fluent Bit keeps it: in the instance's structure, whose layout differs from
 * version to version, as a ring of struct flb_kv that holds a value which is
 * known. Everything is read through the kernel, which refuses addresses that
 * are none; where nothing is found, nothing is told.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "host.h"

/* struct flb_kv (flb_kv.h), the same from 1.2 to 5.1. */
struct kv {
    const char *key;
    const char *value;
    uintptr_t prev; /* struct mk_list */
    uintptr_t next;
};

enum { MOST_PROPERTIES = 512, LONGEST_KEY = 64, MOST_WORDS = 512 };

/* peek reads what can be read of size bytes at the address. */
static size_t peek(uintptr_t at, void *into, size_t size)
{
    struct iovec here = {into, size}, there = {(void *) at, size};
    ssize_t n = process_vm_readv(getpid(), &here, 1, &there, 1, 0);

    return n > 0 ? (size_t) n : 0;
}

/*
 * ring walks the list whose head, {prev, next}, is at the address, and writes
 * the names in it, a line each. It returns their length, 0 where it is no
 * ring of properties with the value in it.
 */
static size_t ring(uintptr_t head, uintptr_t first, uintptr_t last, const char *value, char *into, size_t size)
{
    const size_t links = offsetof(struct kv, prev);
    uintptr_t node = first, before = head;
    size_t used = 0;
    int found = 0, n;

    for (n = 0; node != head; n++) {
        char key[LONGEST_KEY + 1];
        struct kv kv;
        size_t length;

        if (n == MOST_PROPERTIES || node % sizeof(void *) != 0 || peek(node - links, &kv, sizeof(kv)) != sizeof(kv) || kv.prev != before) {
            return 0;
        }
        length = peek((uintptr_t) kv.key, key, LONGEST_KEY);
        key[length] = 0;
        length = strlen(key);
        if (length == 0 || strchr(key, '\n') != NULL || used + length + 1 > size) {
            return 0;
        }
        memcpy(into + used, key, length);
        into[used + length] = '\n';
        used += length + 1;
        found |= kv.value == value;
        before = node;
        node = kv.next;
    }
    return found && before == last ? used : 0;
}

/*
 * host_properties writes the names of the properties of the instance that is
 * being started, a line each, and returns their length, 0 where they can't be
 * found. known is the name of one that is set.
 */
size_t host_properties(void *plugin, const char *known, char *into, size_t size)
{
    struct host_plugin *p = plugin;
    uintptr_t words[MOST_WORDS];
    const char *value;
    size_t i, n;

    if (p == NULL || p->api == NULL || p->output == NULL) {
        return 0;
    }
    value = p->api->output_get_property(known, p->output);
    if (value == NULL) {
        return 0;
    }
    n = peek((uintptr_t) p->output, words, sizeof(words)) / sizeof(words[0]);
    for (i = 0; i + 1 < n; i++) {
        uintptr_t head = (uintptr_t) p->output + i * sizeof(words[0]);
        size_t length;

        if (words[i] == 0 || words[i + 1] == 0 || words[i] == head || words[i + 1] == head) {
            continue;
        }
        length = ring(head, words[i + 1], words[i], value, into, size);
        if (length > 0) {
            return length;
        }
    }
    return 0;
}
