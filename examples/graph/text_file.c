/* Reads and unpacks whole files. The three formats differ only in the step that takes some
 * packed bytes to some unpacked ones; a file may hold several packed parts in a row. */
#include "text_file.h"

#include <errno.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define CHUNK_BYTES ((size_t)1 << 16)

/* ---- unpacking -------------------------------------------------------------------------- */

typedef enum step {
    STEP_ON,     /* there may be more */
    STEP_END,    /* of a part: the file may end here */
    STEP_DAMAGED /* or not of this format */
} step;

/* What is left of the packed bytes, and the room for unpacked ones; a step moves both on. */
typedef struct piece {
    const uint8_t *in;
    size_t in_bytes;
    uint8_t *out;
    size_t out_bytes;
    bool last; /* no more packed bytes will come */
} piece;

typedef struct unpacker {
    z_stream gz;
    lzma_stream xz;
    ZSTD_DCtx *zst;
    step (*step)(struct unpacker *with, piece *p);
} unpacker;

static step step_plain(WEIR_UNUSED unpacker *with, piece *p)
{
    size_t bytes = p->in_bytes < p->out_bytes ? p->in_bytes : p->out_bytes;
    memcpy(p->out, p->in, bytes);
    *p = (piece){p->in + bytes, p->in_bytes - bytes, p->out + bytes, p->out_bytes - bytes, p->last};
    return STEP_END;
}

static step step_gz(unpacker *with, piece *p)
{
    z_stream *gz = &with->gz;
    gz->next_in = (Bytef *)(uintptr_t)p->in;
    gz->avail_in = (uInt)p->in_bytes;
    gz->next_out = p->out;
    gz->avail_out = (uInt)p->out_bytes;
    int code = inflate(gz, Z_NO_FLUSH);
    *p = (piece){gz->next_in, gz->avail_in, gz->next_out, gz->avail_out, p->last};
    if (code == Z_STREAM_END)
        return inflateReset(gz) == Z_OK ? STEP_END : STEP_DAMAGED;
    return code == Z_OK || code == Z_BUF_ERROR ? STEP_ON : STEP_DAMAGED;
}

static step step_xz(unpacker *with, piece *p)
{
    lzma_stream *xz = &with->xz;
    xz->next_in = p->in;
    xz->avail_in = p->in_bytes;
    xz->next_out = p->out;
    xz->avail_out = p->out_bytes;
    lzma_ret code = lzma_code(xz, p->last ? LZMA_FINISH : LZMA_RUN);
    *p = (piece){xz->next_in, xz->avail_in, xz->next_out, xz->avail_out, p->last};
    if (code == LZMA_STREAM_END)
        return STEP_END;
    return code == LZMA_OK || code == LZMA_BUF_ERROR ? STEP_ON : STEP_DAMAGED;
}

static step step_zst(unpacker *with, piece *p)
{
    ZSTD_inBuffer in = {p->in, p->in_bytes, 0};
    ZSTD_outBuffer out = {p->out, p->out_bytes, 0};
    size_t code = ZSTD_decompressStream(with->zst, &out, &in);
    *p = (piece){p->in + in.pos, p->in_bytes - in.pos, p->out + out.pos, p->out_bytes - out.pos,
                 p->last};
    return ZSTD_isError(code) ? STEP_DAMAGED : code == 0 ? STEP_END : STEP_ON;
}

static bool ends_in(const char *path, const char *end)
{
    size_t length = strlen(path), end_length = strlen(end);
    return length > end_length && strcmp(path + length - end_length, end) == 0;
}

static bool unpacker_init(unpacker *out, const char *path)
{
    *out = (unpacker){.step = step_plain, .xz = LZMA_STREAM_INIT};
    if (ends_in(path, ".gz")) {
        out->step = step_gz;
        return inflateInit2(&out->gz, 15 + 16) == Z_OK;
    }
    if (ends_in(path, ".xz")) {
        out->step = step_xz;
        return lzma_stream_decoder(&out->xz, UINT64_MAX, LZMA_CONCATENATED) == LZMA_OK;
    }
    if (ends_in(path, ".zst")) {
        out->step = step_zst;
        return (out->zst = ZSTD_createDCtx()) != NULL;
    }
    return true;
}

static void unpacker_fini(unpacker *of)
{
    if (of->step == step_gz)
        inflateEnd(&of->gz);
    lzma_end(&of->xz);
    ZSTD_freeDCtx(of->zst);
}

/* ---- a file ----------------------------------------------------------------------------- */

/* Room for another chunk and a NUL behind what is there. */
static bool make_room(text_file *into, size_t *capacity)
{
    if (*capacity - into->bytes > CHUNK_BYTES)
        return true;
    *capacity = *capacity ? *capacity * 2 : 4 * CHUNK_BYTES;
    char *text = realloc(into->text, *capacity);
    if (text)
        into->text = text;
    return text != NULL;
}

static weir_err *read_all(text_file *into, FILE *file, unpacker *with)
{
    uint8_t packed[CHUNK_BYTES];
    piece p = {.in = packed};
    size_t capacity = 0;
    step reached = STEP_ON;
    do {
        if (p.in_bytes == 0 && !p.last) {
            p.in = packed;
            p.in_bytes = fread(packed, 1, sizeof packed, file);
            p.last = feof(file);
            if (ferror(file))
                return weir_err_new("cannot read `%s`: %s", into->path, strerror(errno));
            if (p.in_bytes == 0 && reached == STEP_END)
                break;
        }
        if (!make_room(into, &capacity))
            return weir_err_new("no memory for `%s`", into->path);
        p.out = (uint8_t *)into->text + into->bytes;
        p.out_bytes = capacity - into->bytes - 1;
        size_t in_before = p.in_bytes;
        reached = with->step(with, &p);
        bool moved = p.in_bytes < in_before || (char *)p.out > into->text + into->bytes;
        into->bytes = (size_t)((char *)p.out - into->text);
        if (reached == STEP_DAMAGED || (p.last && !moved && reached != STEP_END))
            return weir_err_new("`%s` is damaged or cut short", into->path);
    } while (p.in_bytes || !p.last || reached != STEP_END);
    into->text[into->bytes] = 0;
    return NULL;
}

weir_err *text_file_open(text_file *out, const char *path)
{
    *out = (text_file){.path = strdup(path)};
    FILE *file = fopen(path, "rb");
    if (!file)
        return weir_err_new("cannot open `%s`: %s", path, strerror(errno));
    unpacker with;
    weir_err *err = unpacker_init(&with, path) ? read_all(out, file, &with)
                                               : weir_err_new("no memory to unpack `%s`", path);
    unpacker_fini(&with);
    fclose(file);
    out->at = out->text;
    return err;
}

void text_file_close(text_file *of)
{
    free(of->text);
    free(of->path);
    *of = (text_file){0};
}

char *text_file_line(text_file *of)
{
    char *line = of->at, *end = of->text + of->bytes;
    if (line == end)
        return NULL;
    char *newline = memchr(line, '\n', (size_t)(end - line));
    if (newline)
        *newline = 0;
    if (newline && newline > line && newline[-1] == '\r')
        newline[-1] = 0;
    of->at = newline ? newline + 1 : end;
    of->line++;
    return line;
}

weir_err *text_file_error(const text_file *of, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return weir_err_new("%s:%llu: %s", of->path, (unsigned long long)of->line, message);
}

/* ---- a line ----------------------------------------------------------------------------- */

static bool skip_blanks(const char **at)
{
    bool blank = **at == ' ' || **at == '\t';
    while (**at == ' ' || **at == '\t')
        ++*at;
    return blank || !**at;
}

bool text_number(const char **at, int64_t *out)
{
    const char *from = *at + (**at == '-');
    uint64_t value = 0;
    int digits = 0;
    for (; *from >= '0' && *from <= '9' && digits < 19; from++, digits++)
        value = value * 10 + (uint64_t)(*from - '0');
    if (!digits || value > INT64_MAX)
        return false;
    *out = **at == '-' ? -(int64_t)value : (int64_t)value;
    *at = from;
    return skip_blanks(at);
}

bool text_word(const char **at, const char **word_out, size_t *length_out)
{
    *word_out = *at;
    *length_out = strcspn(*at, " \t");
    *at += *length_out;
    return *length_out && skip_blanks(at);
}
