/* Files, patterns and folders; see paths.h. Names are in the order of their bytes. */
#include "paths.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../base/alloc.h"

void wi_paths_fini(wi_paths *paths)
{
    for (unsigned i = 0; i < paths->count; i++)
        wi_free(paths->at[i]);
    wi_free(paths->at);
    *paths = (wi_paths){0};
}

static void take(wi_paths *paths, char *path)
{
    wi_grow(&paths->at, &paths->capacity, paths->count + 1, sizeof *paths->at);
    paths->at[paths->count++] = path;
}

void wi_paths_add(wi_paths *paths, const char *path)
{
    take(paths, wi_strdup(path));
}

void wi_paths_end(wi_paths *paths)
{
    wi_grow(&paths->at, &paths->capacity, paths->count + 1, sizeof *paths->at);
    paths->at[paths->count] = NULL;
}

static int in_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_from(wi_paths *paths, unsigned first)
{
    if (paths->count > first)
        qsort(paths->at + first, paths->count - first, sizeof *paths->at, in_order);
}

static bool is_folder(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

/* ---- folders ---------------------------------------------------------------------------- */

/* Where the last part of a path begins. */
static size_t last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* The folder that the names are in, with a slash behind, or nothing. */
static char *folder_of(const char *path)
{
    char *folder;
    size_t length = strlen(path);
    bool whole = is_folder(path);
    if (!whole)
        length = last_part(path);
    folder = wi_alloc(length + 2);
    memcpy(folder, path, length);
    if (whole && length && folder[length - 1] != '/')
        folder[length++] = '/';
    folder[length] = '\0';
    return folder;
}

char *wi_name_path(const char *path, const char *name)
{
    char *folder = folder_of(path);
    size_t length = strlen(folder), more = strlen(name) + 1;
    folder = wi_realloc(folder, length + more);
    memcpy(folder + length, name, more);
    return folder;
}

static bool is_file_in(DIR *folder, const struct dirent *entry)
{
    struct stat facts;
    if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK)
        return entry->d_type != DT_DIR;
    /* What a link leads to that nobody can follow is said when it is opened. */
    return fstatat(dirfd(folder), entry->d_name, &facts, 0) != 0 || !S_ISDIR(facts.st_mode);
}

weir_err *wi_names_in(wi_paths *names, const char *path)
{
    if (!is_folder(path) && !strpbrk(path + last_part(path), "*?["))
        return weir_err_new("cannot read `%s`: there is no such folder, and it is no pattern",
                            path);
    char *folder = folder_of(path);
    const char *pattern = is_folder(path) ? "*" : path + last_part(path);
    unsigned first = names->count;
    DIR *at = opendir(*folder ? folder : ".");
    weir_err *err = at ? NULL : weir_err_new("cannot open `%s`: %s", path, strerror(errno));
    wi_free(folder);
    if (err)
        return err;
    for (const struct dirent *entry; (errno = 0, entry = readdir(at));)
        if (*entry->d_name != '.' && fnmatch(pattern, entry->d_name, 0) == 0 &&
            is_file_in(at, entry))
            wi_paths_add(names, entry->d_name);
    if (errno)
        err = weir_err_new("cannot read `%s`: %s", path, strerror(errno));
    closedir(at);
    sort_from(names, first);
    return err;
}

/* ---- what a path means ------------------------------------------------------------------ */

static weir_err *expand_names(wi_paths *paths, const char *path)
{
    wi_paths names = {0};
    weir_err *err = wi_names_in(&names, path);
    for (unsigned i = 0; i < names.count && !err; i++)
        take(paths, wi_name_path(path, names.at[i]));
    if (!err && !names.count)
        err = is_folder(path)
                  ? weir_err_new("cannot read `%s`: there are no files in this folder", path)
                  : weir_err_new("cannot read `%s`: no file is called so", path);
    wi_paths_fini(&names);
    return err;
}

weir_err *wi_paths_expand(wi_paths *paths, const char *path)
{
    struct stat facts;
    bool there = stat(path, &facts) == 0;
    if (there ? S_ISDIR(facts.st_mode) : strpbrk(path, "*?[") != NULL)
        return expand_names(paths, path);
    wi_paths_add(paths, path);
    return NULL;
}
