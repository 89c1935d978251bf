/* Bytes compressed, a piece at a time; see compress.h. */
#include <zlib.h>
#include <zstd.h>

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "compress.h"

/* Levels that keep up with a disk. */
#define GZIP_LEVEL 4
#define ZSTD_LEVEL 3
/* zlib's way to ask for gzip's header and checksum rather than its own. */
#define GZIP_WINDOW (15 + 16)

struct wi_compressor {
    wi_compression compression;
    z_stream gzip;
    ZSTD_CCtx *zstd;
};

static void *zlib_alloc(void *arg, unsigned count, unsigned bytes)
{
    (void)arg;
    return wi_calloc(count, bytes);
}

static void zlib_free(void *arg, void *memory)
{
    (void)arg;
    wi_free(memory);
}

wi_compressor *wi_compressor_new(wi_compression compression)
{
    wi_compressor *compressor = WI_NEW(wi_compressor);
    compressor->compression = compression;
    if (compression == WI_GZIP) {
        compressor->gzip.zalloc = zlib_alloc;
        compressor->gzip.zfree = zlib_free;
        int made = deflateInit2(&compressor->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8,
                                Z_DEFAULT_STRATEGY);
        wi_assert(made == Z_OK, "zlib can be used");
    } else if (compression == WI_ZSTD) {
        compressor->zstd = ZSTD_createCCtx();
        if (!compressor->zstd)
            wi_alloc_failed(1 << 20);
        ZSTD_CCtx_setParameter(compressor->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
        ZSTD_CCtx_setParameter(compressor->zstd, ZSTD_c_checksumFlag, 1);
    }
    return compressor;
}

void wi_compressor_free(wi_compressor *compressor)
{
    if (!compressor)
        return;
    if (compressor->compression == WI_GZIP)
        deflateEnd(&compressor->gzip);
    ZSTD_freeCCtx(compressor->zstd);
    wi_free(compressor);
}

static void put_gzip(wi_compressor *compressor, wi_bytes *to, const void *from, size_t length)
{
    z_stream *gzip = &compressor->gzip;
    deflateReset(gzip);
    size_t room = deflateBound(gzip, length);
    gzip->next_in = (Bytef *)(uintptr_t)from; /* which zlib does not change */
    gzip->avail_in = (uInt)length;
    gzip->next_out = (Bytef *)wi_bytes_room(to, room);
    gzip->avail_out = (uInt)room;
    int done = deflate(gzip, Z_FINISH);
    wi_assert(done == Z_STREAM_END, "there is room for what zlib says it needs");
    to->length += room - gzip->avail_out;
}

static void put_zstd(wi_compressor *compressor, wi_bytes *to, const void *from, size_t length)
{
    size_t room = ZSTD_compressBound(length);
    size_t used = ZSTD_compress2(compressor->zstd, wi_bytes_room(to, room), room, from, length);
    if (ZSTD_isError(used)) /* only for want of memory: there is room */
        wi_alloc_failed(room);
    to->length += used;
}

void wi_compress(wi_compressor *compressor, wi_bytes *to, const void *from, size_t length)
{
    if (compressor->compression == WI_GZIP)
        put_gzip(compressor, to, from, length);
    else if (compressor->compression == WI_ZSTD)
        put_zstd(compressor, to, from, length);
    else
        wi_bytes_put(to, from, length);
}
