/* Bytes compressed, a piece at a time: each piece is a member (gzip) or frame (zstd) of its own,
 * so that nothing is kept between pieces, however many files are being written. Put one behind the
 * other they are what such files are. Any thread; a compressor belongs to one at a time. */
#ifndef WEIR_OPERATORS_IO_COMPRESS_H
#define WEIR_OPERATORS_IO_COMPRESS_H

#include "write_rows.h"

typedef enum wi_compression { WI_UNCOMPRESSED, WI_GZIP, WI_ZSTD } wi_compression;

typedef struct wi_compressor wi_compressor;

wi_compressor *wi_compressor_new(wi_compression compression);
void wi_compressor_free(wi_compressor *compressor);
/* Appends a piece. */
void wi_compress(wi_compressor *compressor, wi_bytes *to, const void *from, size_t length);

#endif
