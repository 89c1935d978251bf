/* Ways in which meshes are connected, for loop tests: every transport, without and with a key. */
#ifndef WEIR_TESTS_SUPPORT_MESH_WAYS_H
#define WEIR_TESTS_SUPPORT_MESH_WAYS_H

#include "meshes.h"

#define TEST_MESH_WAYS_OPEN 6 /* without a key */
#define TEST_MESH_WAYS 10

/* An unchecked fixture: makes what they need, certificates and a folder for sockets. */
void test_mesh_ways_begin(void);
void test_mesh_ways_end(void);

bool test_mesh_way_is_tls(int way);
void test_meshes_init_way(test_meshes *meshes, uint32_t count, int way);

#endif
