/* The dependency graph of a Debian archive and how it changed, read from a folder of three
 * xz-compressed files (examples/data/README.md):
 *
 *     names.txt.xz     line i, from 0: the name of package i, in byte order
 *     base.tsv.xz      src dst: package src depends on package dst
 *     updates.tsv.xz   txn src dst diff: transaction txn adds (1) or removes (-1) that */
#ifndef ARCHIVE_H
#define ARCHIVE_H

#include "../graph/text_file.h"

typedef struct change {
    uint32_t txn; /* 0: the base */
    uint32_t src, dst;
    int32_t diff;
} change;

typedef struct archive {
    change *changes; /* the base, then the transactions in order */
    uint64_t change_count;
    uint32_t txn_count, txn_last;
    const char **names;
    uint32_t name_count;
    text_file name_file; /* private: the names' bytes */
} archive;

/* Fills a zeroed archive. Errors name the file and the line. */
weir_err *archive_read(archive *out, const char *folder);
void archive_fini(archive *of);
/* The package of that name; an error if there is none. */
weir_err *archive_find(const archive *in, const char *name, uint32_t *package_out);

#endif
