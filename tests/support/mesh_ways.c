/* Ways in which meshes are connected. See mesh_ways.h. */
#include "mesh_ways.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certificates.h"

#define KEY "a key that is long enough"

/* @ stands for what other test runs have not: the folder. */
static const struct way {
    const char *url, *key;
    bool sockets; /* no memory is shared */
} ways[TEST_MESH_WAYS] = {{.url = "memory://mesh%d"},
                     {.url = "tcp://127.0.0.1:0"},
                     {.url = "abstract://weir-test@-%d", .sockets = true},
                     {.url = "ipc://@/socket%d"},
                     {.url = "tcp://127.0.0.1:0", .sockets = true},
                     {.url = "tls+tcp://127.0.0.1:0"},
                     {.url = "memory://sealed%d", .key = KEY},
                     {.url = "tcp://127.0.0.1:0", .key = KEY, .sockets = true},
                     {.url = "ipc://@/sealed%d", .key = KEY},
                     {.url = "tls+tcp://127.0.0.1:0", .key = KEY}};

static char folder[] = "/tmp/weir-mesh-XXXXXX";
static char certificate[64], key[64], authority[64];

void test_mesh_ways_begin(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    test_certificate_make(folder, "ours", NULL, false);
    test_certificate_make(folder, "node", "ours", false);
    snprintf(certificate, sizeof certificate, "%s/node.pem", folder);
    snprintf(key, sizeof key, "%s/node.key", folder);
    snprintf(authority, sizeof authority, "%s/ours.pem", folder);
}

void test_mesh_ways_end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

bool test_mesh_way_is_tls(int way)
{
    return strncmp(ways[way].url, "tls", 3) == 0;
}

void test_meshes_init_way(test_meshes *meshes, uint32_t count, int way)
{
    char url[160];
    const char *at = strchr(ways[way].url, '@');
    if (at)
        snprintf(url, sizeof url, "%.*s%s%s", (int)(at - ways[way].url), ways[way].url, folder,
                 at + 1);
    else
        snprintf(url, sizeof url, "%s", ways[way].url);
    test_meshes_init(meshes, count, url);
    for (uint32_t i = 0; i < count; i++) {
        meshes->at[i].config.key = ways[way].key;
        meshes->at[i].config.no_shared_memory = ways[way].sockets;
        if (test_mesh_way_is_tls(way))
            meshes->at[i].config.tls = (wi_tls){certificate, key, authority};
    }
}
