/* One file that a sink writes: under a temporary name, until it is published by renaming it.
 *
 * Invariants
 *   S1  the name of a segment is that of a file that is whole, or of none
 *   S2  a temporary file is removed by who made it, or, if that died, by the next who has the
 *       same directory, prefix and extension (wi_segments_clean)
 *   S3  no segment stays open between two calls: any number of them can be written at once
 *   S4  while there may be temporary files, a lock is held: nobody else who is alive makes or
 *       removes such ones
 *
 * A failed fsync is not tried again: the system has forgotten what it could not write.
 *
 * Worker. */
#ifndef WEIR_OPERATORS_IO_WRITE_SEGMENT_H
#define WEIR_OPERATORS_IO_WRITE_SEGMENT_H

#include "compress.h"

#define WI_SEGMENT_PREFIX_MAX 64
#define WI_SEGMENT_NAME_BYTES 160

/* What all segments of a sink on a worker have in common. */
typedef struct wi_segments {
    const weir_write *how; /* with every text in it */
    uint32_t worker;       /* UINT32_MAX: not in the names */
    wi_compression compression;
    int directory; /* -1: not opened */
    int lock;      /* -1: not held */
    wi_compressor *compressor;
    wi_bytes compressed;
    uint64_t waiting; /* bytes of lines of all segments that are not in files yet */
} wi_segments;

typedef struct wi_segment {
    uint64_t first, last; /* epochs */
    wi_bytes lines;       /* not in the file yet */
    uint64_t rows, bytes; /* `bytes` are in the file */
    bool made;            /* there is a file with the temporary name */
} wi_segment;

/* The extension's format and compression; false: there is no such. */
bool wi_segments_extension(const char *extension, weir_row_format *format_out,
                           wi_compression *compression_out);
/* Whether a prefix is one. */
bool wi_segments_prefix(const char *prefix);
/* The epochs of the segment that an epoch is in. */
void wi_segment_range(const weir_write *how, uint64_t epoch, uint64_t *first_out,
                      uint64_t *last_out);

weir_err *wi_segments_open(wi_segments *all);
void wi_segments_close(wi_segments *all);
/* Removes what others have left, of workers w with w % workers = of. Who left it had a worker `of`,
 * too, whose lock is held now. */
weir_err *wi_segments_clean(const wi_segments *all, uint32_t of, uint32_t workers);

/* The name; `buffer` has WI_SEGMENT_NAME_BYTES. */
const char *wi_segment_name(const wi_segments *all, const wi_segment *segment, char *buffer);
/* Lines to the file. */
weir_err *wi_segment_flush(wi_segments *all, wi_segment *segment);
/* Gives a file its name. *there_out: it had another file already, which was kept. The directory is
 * to be synced afterwards. */
weir_err *wi_segment_publish(wi_segments *all, wi_segment *segment, bool *there_out);
weir_err *wi_segments_sync(const wi_segments *all);
/* Removes what is not published, and frees the memory. */
void wi_segment_fini(wi_segments *all, wi_segment *segment);

#endif
