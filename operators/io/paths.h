/* What paths mean: files, patterns, folders. */
#ifndef WEIR_OPERATORS_IO_PATHS_H
#define WEIR_OPERATORS_IO_PATHS_H

#include <weir/base.h>

typedef struct wi_paths {
    char **at;
    unsigned count, capacity;
} wi_paths;

void wi_paths_fini(wi_paths *paths);
void wi_paths_add(wi_paths *paths, const char *path);
/* Puts a NULL behind the last of `at`. */
void wi_paths_end(wi_paths *paths);
/* Adds the files that a path means, by name: itself, those that it is a pattern for, or those in
 * it. None is an error. */
weir_err *wi_paths_expand(wi_paths *paths, const char *path);

/* Adds the names, in order, of the files in the folder of a path, or of those of them that the last
 * part of it is a pattern for; not those that begin with a dot. */
weir_err *wi_names_in(wi_paths *names, const char *path);
/* The path of such a name. */
char *wi_name_path(const char *path, const char *name);

#endif
