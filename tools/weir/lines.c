/* Lines of files that may be packed; see lines.h. A chunk is read, unpacked into another, and that
 * is added to what is left of the line before. The ways to unpack differ in one function. */
#include "lines.h"

#include "base/alloc.h"

#include <errno.h>
#include <lzma.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { CHUNK_BYTES = 1 << 16 };
/* Named limit: a longer line is an error. */
#define LINE_BYTES_MAX ((size_t)1 << 30)

typedef enum unpacked {
    UNPACKED_SOME,
    UNPACKED_PART, /* a packed part has ended: here the file may end */
    DAMAGED
} unpacked;

/* What is left of a packed chunk, and room for what it is unpacked to; both are moved on. */
typedef struct chunk {
    const uint8_t *in;
    size_t in_bytes;
    uint8_t *out;
    size_t out_bytes;
} chunk;

struct lines {
    char *path;
    FILE *file;
    unpacked (*unpack)(lines *with, chunk *c);
    z_stream gz;
    lzma_stream xz;
    ZSTD_DCtx *zst;
    uint8_t packed[CHUNK_BYTES];
    const uint8_t *packed_at;
    size_t packed_bytes;
    bool file_ended, part_ended;
    char *text; /* [begin, end) is not given yet */
    size_t begin, end, capacity;
    uint64_t number;
};

/* ---- unpacking -------------------------------------------------------------------------- */

static unpacked unpack_nothing(WEIR_UNUSED lines *with, chunk *c)
{
    size_t bytes = c->in_bytes < c->out_bytes ? c->in_bytes : c->out_bytes;
    memcpy(c->out, c->in, bytes);
    *c = (chunk){c->in + bytes, c->in_bytes - bytes, c->out + bytes, c->out_bytes - bytes};
    return UNPACKED_PART;
}

static unpacked unpack_gz(lines *with, chunk *c)
{
    z_stream *gz = &with->gz;
    gz->next_in = (Bytef *)(uintptr_t)c->in;
    gz->avail_in = (uInt)c->in_bytes;
    gz->next_out = c->out;
    gz->avail_out = (uInt)c->out_bytes;
    int code = inflate(gz, Z_NO_FLUSH);
    *c = (chunk){gz->next_in, gz->avail_in, gz->next_out, gz->avail_out};
    if (code == Z_STREAM_END)
        return inflateReset(gz) == Z_OK ? UNPACKED_PART : DAMAGED;
    return code == Z_OK || code == Z_BUF_ERROR ? UNPACKED_SOME : DAMAGED;
}

static unpacked unpack_xz(lines *with, chunk *c)
{
    lzma_stream *xz = &with->xz;
    xz->next_in = c->in;
    xz->avail_in = c->in_bytes;
    xz->next_out = c->out;
    xz->avail_out = c->out_bytes;
    lzma_ret code = lzma_code(xz, with->file_ended ? LZMA_FINISH : LZMA_RUN);
    *c = (chunk){xz->next_in, xz->avail_in, xz->next_out, xz->avail_out};
    if (code == LZMA_STREAM_END)
        return UNPACKED_PART;
    return code == LZMA_OK || code == LZMA_BUF_ERROR ? UNPACKED_SOME : DAMAGED;
}

static unpacked unpack_zst(lines *with, chunk *c)
{
    ZSTD_inBuffer in = {c->in, c->in_bytes, 0};
    ZSTD_outBuffer out = {c->out, c->out_bytes, 0};
    size_t code = ZSTD_decompressStream(with->zst, &out, &in);
    *c = (chunk){c->in + in.pos, c->in_bytes - in.pos, c->out + out.pos, c->out_bytes - out.pos};
    return ZSTD_isError(code) ? DAMAGED : code == 0 ? UNPACKED_PART : UNPACKED_SOME;
}

static bool ends_in(const char *path, size_t length, const char *end)
{
    size_t bytes = strlen(end);
    return length >= bytes && memcmp(path + length - bytes, end, bytes) == 0;
}

static bool start_unpacking(lines *of)
{
    size_t length = strlen(of->path);
    of->unpack = unpack_nothing;
    if (ends_in(of->path, length, ".gz")) {
        of->unpack = unpack_gz;
        return inflateInit2(&of->gz, 15 + 16) == Z_OK;
    }
    if (ends_in(of->path, length, ".xz")) {
        of->unpack = unpack_xz;
        return lzma_stream_decoder(&of->xz, UINT64_MAX, LZMA_CONCATENATED) == LZMA_OK;
    }
    if (ends_in(of->path, length, ".zst")) {
        of->unpack = unpack_zst;
        return (of->zst = ZSTD_createDCtx()) != NULL;
    }
    return true;
}

bool lines_name_ends(const char *path, const char *end)
{
    static const char *const packed[] = {".gz", ".xz", ".zst"};
    size_t length = strlen(path);
    for (size_t p = 0; p < sizeof packed / sizeof *packed; p++)
        if (ends_in(path, length, packed[p])) {
            length -= strlen(packed[p]);
            break;
        }
    return ends_in(path, length, end);
}

/* ---- reading ---------------------------------------------------------------------------- */

lines *lines_open(const char *path, weir_err **err_out)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rb");
    if (!file) {
        *err_out = weir_err_new("cannot open `%s`: %s", path, strerror(errno));
        return NULL;
    }
    lines *of = WI_NEW(lines);
    of->path = wi_strdup(path);
    of->file = file;
    of->xz = (lzma_stream)LZMA_STREAM_INIT;
    if (start_unpacking(of))
        return of;
    *err_out = weir_err_new("no memory to unpack `%s`", path);
    lines_close(of);
    return NULL;
}

void lines_close(lines *of)
{
    if (!of)
        return;
    if (of->unpack == unpack_gz)
        inflateEnd(&of->gz);
    lzma_end(&of->xz);
    ZSTD_freeDCtx(of->zst);
    if (of->file != stdin)
        fclose(of->file);
    wi_free(of->path);
    wi_free(of->text);
    wi_free(of);
}

uint64_t lines_number(const lines *of)
{
    return of->number;
}

/* Room for a chunk, and a NUL behind it. */
static void make_room(lines *of)
{
    if (of->begin) {
        memmove(of->text, of->text + of->begin, of->end - of->begin);
        of->end -= of->begin;
        of->begin = 0;
    }
    if (of->capacity - of->end > CHUNK_BYTES)
        return;
    of->capacity = of->capacity ? of->capacity * 2 : 4 * CHUNK_BYTES;
    of->text = wi_realloc(of->text, of->capacity);
}

static weir_err *read_chunk(lines *of)
{
    if (of->packed_bytes == 0 && !of->file_ended) {
        of->packed_at = of->packed;
        of->packed_bytes = fread(of->packed, 1, sizeof of->packed, of->file);
        of->file_ended = of->packed_bytes < sizeof of->packed;
        if (ferror(of->file))
            return weir_err_new("cannot read `%s`: %s", of->path, strerror(errno));
    }
    make_room(of);
    chunk c = {of->packed_at, of->packed_bytes, (uint8_t *)of->text + of->end, CHUNK_BYTES};
    unpacked result = of->unpack(of, &c);
    bool moved = c.in_bytes < of->packed_bytes || c.out_bytes < CHUNK_BYTES;
    of->packed_at = c.in;
    of->packed_bytes = c.in_bytes;
    of->end += CHUNK_BYTES - c.out_bytes;
    if (moved || result == UNPACKED_PART)
        of->part_ended = result == UNPACKED_PART;
    if (result == DAMAGED || (!moved && of->file_ended && !of->part_ended))
        return weir_err_new("`%s` is damaged or cut short", of->path);
    return NULL;
}

/* Whether there is nothing to read any more. */
static bool at_end(const lines *of)
{
    return of->file_ended && of->packed_bytes == 0 && of->part_ended;
}

char *lines_next(lines *of, size_t *length_out, weir_err **err_out)
{
    char *newline = NULL;
    size_t looked = 0;
    for (;;) {
        size_t there = of->end - of->begin;
        if (there > looked)
            newline = memchr(of->text + of->begin + looked, '\n', there - looked);
        if (newline || at_end(of))
            break;
        looked = there;
        if (there > LINE_BYTES_MAX)
            *err_out = weir_err_new("`%s` has a line of more than 1 GiB", of->path);
        else
            *err_out = read_chunk(of);
        if (*err_out)
            return NULL;
    }
    if (of->begin == of->end)
        return NULL;
    char *line = of->text + of->begin;
    size_t length = newline ? (size_t)(newline - line) : of->end - of->begin;
    of->begin += length + (newline != NULL);
    if (length && line[length - 1] == '\r')
        length--;
    line[length] = '\0';
    of->number++;
    *length_out = length;
    return line;
}
