/* Texts as TSV, CSV and JSON have them; see write_rows.h.
 *
 * Most of a text needs no change, so what is done byte by byte is little: the next byte that is
 * not plain is looked for 16 at a time, and all before it is copied. */
#include <string.h>

#include "../../base/alloc.h"
#include "write_rows.h"

/* Texts are written in pieces, so that room is not made for the worst case of a long one. */
#define PIECE_BYTES 4096
/* The most that one byte becomes: \u001f in JSON. */
#define BYTES_PER_BYTE_MAX 6

/* ---- bytes ------------------------------------------------------------------------------ */

char *wi_bytes_room(wi_bytes *bytes, size_t more)
{
    if (WEIR_UNLIKELY(more > bytes->capacity - bytes->length)) {
        bytes->capacity = (bytes->capacity + more) * 2 + 64;
        bytes->at = wi_realloc(bytes->at, bytes->capacity);
    }
    return bytes->at + bytes->length;
}

void wi_bytes_put(wi_bytes *bytes, const void *from, size_t length)
{
    char *to = wi_bytes_room(bytes, length);
    if (length)
        memcpy(to, from, length);
    bytes->length += length;
}

void wi_bytes_fini(wi_bytes *bytes)
{
    wi_free(bytes->at);
    *bytes = (wi_bytes){0};
}

/* ---- what is plain ---------------------------------------------------------------------- */

/* What a form must change: four bytes, and perhaps all below 32 and above 127. */
typedef struct specials {
    char bytes[4];
    bool controls, high;
} specials;

static const specials tsv = {{'\t', '\n', '\r', '\\'}, false, false};
static const specials csv = {{',', '"', '\n', '\r'}, false, false};
static const specials quoted = {{'"', '"', '"', '"'}, false, false};
static const specials json = {{'"', '\\', '"', '\\'}, true, true};

typedef unsigned char bytes_16 __attribute__((vector_size(16)));
typedef uint64_t words_2 __attribute__((vector_size(16)));

static inline bool is_special(specials those, unsigned char c)
{
    for (unsigned i = 0; i < 4; i++)
        if (c == (unsigned char)those.bytes[i])
            return true;
    return (those.controls && c < 32) || (those.high && c > 127);
}

static inline bool any_special(specials those, const char *from)
{
    bytes_16 block;
    memcpy(&block, from, sizeof block);
    bytes_16 found = (bytes_16)(block == (unsigned char)those.bytes[0]) |
                     (bytes_16)(block == (unsigned char)those.bytes[1]) |
                     (bytes_16)(block == (unsigned char)those.bytes[2]) |
                     (bytes_16)(block == (unsigned char)those.bytes[3]);
    if (those.controls)
        found |= (bytes_16)(block < (unsigned char)32);
    if (those.high)
        found |= (bytes_16)(block > (unsigned char)127);
    words_2 words = (words_2)found;
    return words[0] | words[1];
}

/* How many bytes from the first on are plain. */
static inline __attribute__((always_inline)) size_t plain(specials those, const char *text,
                                                          size_t length)
{
    size_t at = 0;
    while (length - at >= 16 && !any_special(those, text + at))
        at += 16;
    while (at < length && !is_special(those, (unsigned char)text[at]))
        at++;
    return at;
}

static inline char *copy(char *to, const char *from, size_t length)
{
    memcpy(to, from, length);
    return to + length;
}

static inline size_t piece_of(size_t left)
{
    return left < PIECE_BYTES ? left : PIECE_BYTES;
}

/* ---- TSV, CSV --------------------------------------------------------------------------- */

void wi_write_tsv_text(wi_bytes *bytes, const char *text, size_t length)
{
    for (const char *end = text + length; text < end;) {
        size_t piece = piece_of((size_t)(end - text));
        char *to = wi_bytes_room(bytes, 2 * piece);
        for (const char *stop = text + piece; text < stop;) {
            size_t same = plain(tsv, text, (size_t)(stop - text));
            to = copy(to, text, same);
            text += same;
            if (text == stop)
                break;
            char c = *text++;
            *to++ = '\\';
            *to++ = c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : c;
        }
        bytes->length = (size_t)(to - bytes->at);
    }
}

/* A line of one empty field would be taken for an empty line: it is quoted. */
void wi_write_csv_text(wi_bytes *bytes, const char *text, size_t length, bool alone)
{
    if (plain(csv, text, length) == length && !(alone && length == 0)) {
        wi_bytes_put(bytes, text, length);
        return;
    }
    wi_bytes_put(bytes, "\"", 1);
    for (const char *end = text + length; text < end;) {
        size_t piece = piece_of((size_t)(end - text));
        char *to = wi_bytes_room(bytes, 2 * piece);
        for (const char *stop = text + piece; text < stop;) {
            size_t same = plain(quoted, text, (size_t)(stop - text));
            to = copy(to, text, same);
            text += same;
            if (text == stop)
                break;
            text++;
            *to++ = '"';
            *to++ = '"';
        }
        bytes->length = (size_t)(to - bytes->at);
    }
    wi_bytes_put(bytes, "\"", 1);
}

static const char hex_digits[] = "0123456789abcdef";

void wi_write_hex(wi_bytes *to, const char *bytes, size_t length)
{
    char *at = wi_bytes_room(to, 2 * length);
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        *at++ = hex_digits[byte >> 4];
        *at++ = hex_digits[byte & 15];
    }
    to->length += 2 * length;
}

/* ---- JSON ------------------------------------------------------------------------------- */

/* How long the sequence of UTF-8 is that begins with a byte above 127, if it is well formed
 * (Unicode 3.9, table 3-7: neither overlong nor a surrogate nor above U+10FFFF). Otherwise 0,
 * and *bad_out says how many bytes could have begun one. */
static size_t sequence(const unsigned char *at, size_t left, size_t *bad_out)
{
    unsigned char low = 0x80, high = 0xbf, first = at[0];
    size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    *bad_out = 1;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < length; i++) {
        if (i >= left || at[i] < low || at[i] > high) {
            *bad_out = i;
            return 0;
        }
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

static char *put_escaped(char *to, unsigned char c)
{
    static const char named[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                 ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
    *to++ = '\\';
    if (c < sizeof named && named[c]) {
        *to++ = named[c];
        return to;
    }
    to = copy(to, "u00", 3);
    *to++ = hex_digits[c >> 4];
    *to++ = hex_digits[c & 15];
    return to;
}

void wi_write_json_text(wi_bytes *bytes, const char *text, size_t length)
{
    wi_bytes_put(bytes, "\"", 1);
    for (const char *end = text + length; text < end;) {
        size_t piece = piece_of((size_t)(end - text));
        char *to = wi_bytes_room(bytes, BYTES_PER_BYTE_MAX * piece + 4);
        for (const char *stop = text + piece; text < stop;) {
            size_t same = plain(json, text, (size_t)(stop - text)), bad;
            to = copy(to, text, same);
            text += same;
            if (text >= stop)
                break;
            if ((unsigned char)*text < 128) {
                to = put_escaped(to, (unsigned char)*text++);
                continue;
            }
            size_t whole = sequence((const unsigned char *)text, (size_t)(end - text), &bad);
            to = whole ? copy(to, text, whole) : copy(to, "\xef\xbf\xbd", 3);
            text += whole ? whole : bad;
        }
        bytes->length = (size_t)(to - bytes->at);
    }
    wi_bytes_put(bytes, "\"", 1);
}
