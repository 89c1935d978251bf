/* Bytes of files, unpacked on the way; see file.h. The ways to unpack differ in one function. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "../../base/alloc.h"

enum { PACKED_BYTES = 1 << 16 };

typedef enum unpacked {
    UNPACKED_SOME,
    UNPACKED_PART, /* a packed part has ended: here the file may end */
    DAMAGED
} unpacked;

/* What is left of the packed bytes, and room for what they are unpacked to; both are moved on. */
typedef struct chunk {
    const uint8_t *in;
    size_t in_bytes;
    uint8_t *out;
    size_t out_bytes;
} chunk;

struct wi_file {
    char *path;
    int fd;
    uint64_t bytes, at; /* of a plain file */
    bool plain;         /* can be read from any place; otherwise it may be a pipe */
    bool pipe;
    unpacked (*unpack)(wi_file *file, chunk *c); /* NULL: it is not packed */
    z_stream gz;
    lzma_stream xz;
    ZSTD_DCtx *zst;
    uint8_t *packed;
    const uint8_t *packed_at;
    size_t packed_bytes;
    bool fd_ended, part_ended;
    bool looks; /* bytes that could not be read again are kept, */
    char *kept; /* and come first when they have been put back */
    size_t kept_at, kept_bytes;
    wi_file *next_back;
};

/* Those that were looked at, and put back. */
static wi_file *back;
static pthread_mutex_t back_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- unpacking -------------------------------------------------------------------------- */

static unpacked unpack_gz(wi_file *file, chunk *c)
{
    z_stream *gz = &file->gz;
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

static unpacked unpack_xz(wi_file *file, chunk *c)
{
    lzma_stream *xz = &file->xz;
    xz->next_in = c->in;
    xz->avail_in = c->in_bytes;
    xz->next_out = c->out;
    xz->avail_out = c->out_bytes;
    lzma_ret code = lzma_code(xz, file->fd_ended ? LZMA_FINISH : LZMA_RUN);
    *c = (chunk){xz->next_in, xz->avail_in, xz->next_out, xz->avail_out};
    if (code == LZMA_STREAM_END)
        return UNPACKED_PART;
    return code == LZMA_OK || code == LZMA_BUF_ERROR ? UNPACKED_SOME : DAMAGED;
}

static unpacked unpack_zst(wi_file *file, chunk *c)
{
    ZSTD_inBuffer in = {c->in, c->in_bytes, 0};
    ZSTD_outBuffer out = {c->out, c->out_bytes, 0};
    size_t code = ZSTD_decompressStream(file->zst, &out, &in);
    *c = (chunk){c->in + in.pos, c->in_bytes - in.pos, c->out + out.pos, c->out_bytes - out.pos};
    return ZSTD_isError(code) ? DAMAGED : code == 0 ? UNPACKED_PART : UNPACKED_SOME;
}

static bool ends_in(const char *path, size_t length, const char *end)
{
    size_t bytes = strlen(end);
    return length >= bytes && memcmp(path + length - bytes, end, bytes) == 0;
}

static bool is_packed(const char *path)
{
    size_t length = strlen(path);
    return ends_in(path, length, ".gz") || ends_in(path, length, ".xz") ||
           ends_in(path, length, ".zst");
}

static bool start_unpacking(wi_file *file)
{
    size_t length = strlen(file->path);
    file->xz = (lzma_stream)LZMA_STREAM_INIT;
    if (ends_in(file->path, length, ".gz")) {
        file->unpack = unpack_gz;
        return inflateInit2(&file->gz, 15 + 16) == Z_OK;
    }
    if (ends_in(file->path, length, ".xz")) {
        file->unpack = unpack_xz;
        return lzma_stream_decoder(&file->xz, UINT64_MAX, LZMA_CONCATENATED) == LZMA_OK;
    }
    if (ends_in(file->path, length, ".zst")) {
        file->unpack = unpack_zst;
        return (file->zst = ZSTD_createDCtx()) != NULL;
    }
    return true;
}

weir_row_format wi_file_format(const char *path, weir_row_format otherwise)
{
    static const char *const packed[] = {".gz", ".xz", ".zst"};
    static const char *const json[] = {".json", ".jsonl", ".ndjson"};
    size_t length = strlen(path);
    for (size_t p = 0; p < 3; p++)
        if (ends_in(path, length, packed[p])) {
            length -= strlen(packed[p]);
            break;
        }
    if (otherwise != WEIR_TSV)
        return otherwise;
    for (size_t j = 0; j < 3; j++)
        if (ends_in(path, length, json[j]))
            return WEIR_JSON;
    return ends_in(path, length, ".csv") ? WEIR_CSV : WEIR_TSV;
}

bool wi_file_is_own(const char *path)
{
    return strcmp(path, "-") == 0 || strncmp(path, "/dev/", 5) == 0 ||
           strncmp(path, "/proc/", 6) == 0;
}

/* ---- opening ---------------------------------------------------------------------------- */

/* What was put back of that path: its descriptor, and what had been read. */
static bool take_back(wi_file *file)
{
    pthread_mutex_lock(&back_lock);
    wi_file **at = &back;
    while (*at && strcmp((*at)->path, file->path) != 0)
        at = &(*at)->next_back;
    wi_file *found = *at;
    if (found)
        *at = found->next_back;
    pthread_mutex_unlock(&back_lock);
    if (!found)
        return false;
    file->fd = found->fd;
    file->kept = found->kept;
    file->kept_bytes = found->kept_bytes;
    wi_free(found->path);
    wi_free(found);
    return true;
}

static weir_err *open_it(wi_file *file)
{
    struct stat facts;
    bool standard = strcmp(file->path, "-") == 0;
    /* Else opening a FIFO would wait for who writes there; poll does, as long as it takes. */
    if (!take_back(file))
        file->fd = standard ? STDIN_FILENO : open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0 || fstat(file->fd, &facts) < 0)
        return weir_err_new("cannot open `%s`: %s", file->path, strerror(errno));
    if (S_ISDIR(facts.st_mode))
        return weir_err_new("cannot read `%s`: %s", file->path, strerror(EISDIR));
    if (!start_unpacking(file))
        return weir_err_new("no memory to unpack `%s`", file->path);
    file->pipe = !S_ISREG(facts.st_mode);
    file->plain = !file->pipe && !standard && !file->unpack && facts.st_size > 0; /* /proc says 0 */
    file->bytes = file->plain ? (uint64_t)facts.st_size : 0;
    if (file->unpack)
        file->packed = wi_alloc(PACKED_BYTES);
    return NULL;
}

wi_file *wi_file_open(const char *path, weir_err **err_out)
{
    wi_file *file = WI_NEW(wi_file);
    file->path = wi_strdup(path);
    file->fd = -1;
    *err_out = open_it(file);
    if (!*err_out)
        return file;
    wi_file_close(file);
    return NULL;
}

wi_file *wi_file_look(const char *path, weir_err **err_out)
{
    wi_file *file = wi_file_open(path, err_out);
    if (file)
        file->looks = file->pipe || strcmp(path, "-") == 0;
    return file;
}

void wi_file_put_back(wi_file *file)
{
    if (file && file->looks) {
        wi_file *again = WI_NEW(wi_file);
        *again = (wi_file){.path = wi_strdup(file->path),
                           .fd = file->fd,
                           .kept = file->kept,
                           .kept_bytes = file->kept_bytes};
        file->fd = -1;
        file->kept = NULL;
        pthread_mutex_lock(&back_lock);
        again->next_back = back;
        back = again;
        pthread_mutex_unlock(&back_lock);
    }
    wi_file_close(file);
}

void wi_file_close(wi_file *file)
{
    if (!file)
        return;
    if (file->unpack == unpack_gz)
        inflateEnd(&file->gz);
    lzma_end(&file->xz);
    ZSTD_freeDCtx(file->zst);
    if (file->fd > STDIN_FILENO)
        close(file->fd);
    wi_free(file->packed);
    wi_free(file->kept);
    wi_free(file->path);
    wi_free(file);
}

weir_err *wi_file_try(const char *path, uint64_t *bytes_out)
{
    struct stat facts = {0};
    bool fine = stat(path, &facts) == 0;
    *bytes_out = S_ISREG(facts.st_mode) && !is_packed(path) ? (uint64_t)facts.st_size : 0;
    if (fine && S_ISDIR(facts.st_mode))
        errno = EISDIR;
    if (fine && !S_ISREG(facts.st_mode))
        fine = !S_ISDIR(facts.st_mode) && access(path, R_OK) == 0;
    int fd = fine && S_ISREG(facts.st_mode) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0)
        close(fd);
    if (!fine || (S_ISREG(facts.st_mode) && fd < 0))
        return weir_err_new("cannot open `%s`: %s", path, strerror(errno));
    return NULL;
}

uint64_t wi_file_bytes(const wi_file *file)
{
    return file->bytes;
}

weir_err *wi_file_check(const wi_file *file, uint64_t bytes)
{
    struct stat facts;
    if (fstat(file->fd, &facts) < 0 || (uint64_t)facts.st_size == bytes)
        return NULL;
    return weir_err_new("`%s` has changed while workers read parts of it, from %llu bytes to %llu: "
                        "rows may be missing. What grows is not for .split",
                        file->path, (unsigned long long)bytes, (unsigned long long)facts.st_size);
}

void wi_file_go_to(wi_file *file, uint64_t at)
{
    file->at = at;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* Bytes as they lie in the file. 0 bytes: it has ended. */
static wi_file_gives read_fd(wi_file *file, void *to, size_t room, bool wait, size_t *got_out,
                             weir_err **err_out)
{
    struct pollfd ready = {.fd = file->fd, .events = POLLIN};
    if (file->pipe && poll(&ready, 1, wait ? -1 : 0) == 0)
        return WI_FILE_NONE_YET;
    for (;;) {
        ssize_t got = file->plain ? pread(file->fd, to, room, (off_t)file->at)
                                  : read(file->fd, to, room);
        if (got >= 0) {
            *got_out = (size_t)got;
            file->at += (size_t)got;
            return WI_FILE_BYTES;
        }
        if (errno == EAGAIN && !wait)
            return WI_FILE_NONE_YET;
        if (errno == EAGAIN) {
            poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            *err_out = weir_err_new("cannot read `%s`: %s", file->path, strerror(errno));
            return WI_FILE_FAILS;
        }
    }
}

/* The same, with what was put back first. */
static wi_file_gives read_bytes(wi_file *file, void *to, size_t room, bool wait, size_t *got_out,
                                weir_err **err_out)
{
    if (!file->looks && file->kept_at < file->kept_bytes) {
        size_t left = file->kept_bytes - file->kept_at;
        *got_out = left < room ? left : room;
        memcpy(to, file->kept + file->kept_at, *got_out);
        file->kept_at += *got_out;
        return WI_FILE_BYTES;
    }
    wi_file_gives gives = read_fd(file, to, room, wait, got_out, err_out);
    if (file->looks && gives == WI_FILE_BYTES && *got_out) {
        file->kept = wi_realloc(file->kept, file->kept_bytes + *got_out);
        memcpy(file->kept + file->kept_bytes, to, *got_out);
        file->kept_bytes += *got_out;
    }
    return gives;
}

static wi_file_gives read_packed(wi_file *file, char *to, size_t room, bool wait, size_t *got_out,
                                 weir_err **err_out)
{
    for (;;) {
        if (file->packed_bytes == 0 && !file->fd_ended) {
            wi_file_gives gives =
                read_bytes(file, file->packed, PACKED_BYTES, wait, &file->packed_bytes, err_out);
            if (gives != WI_FILE_BYTES)
                return gives;
            file->packed_at = file->packed;
            file->fd_ended = file->packed_bytes == 0;
        }
        if (file->fd_ended && file->packed_bytes == 0 && file->part_ended)
            return WI_FILE_ENDS;
        chunk c = {file->packed_at, file->packed_bytes, (uint8_t *)to, room};
        unpacked result = file->unpack(file, &c);
        bool moved = c.in_bytes < file->packed_bytes || c.out_bytes < room;
        file->packed_at = c.in;
        file->packed_bytes = c.in_bytes;
        if (moved || result == UNPACKED_PART)
            file->part_ended = result == UNPACKED_PART;
        if (result == DAMAGED || (!moved && file->fd_ended && !file->part_ended)) {
            *err_out = weir_err_new("`%s` is damaged or cut short", file->path);
            return WI_FILE_FAILS;
        }
        *got_out = room - c.out_bytes;
        if (*got_out)
            return WI_FILE_BYTES;
    }
}

/* At its end: that this is where it was when it was opened, or further on. */
static weir_err *has_shrunk(const wi_file *file)
{
    struct stat facts;
    if (!file->plain || file->at >= file->bytes || fstat(file->fd, &facts) < 0 ||
        (uint64_t)facts.st_size >= file->bytes)
        return NULL;
    return weir_err_new("`%s` has become shorter while it was read: from %llu bytes to %llu",
                        file->path, (unsigned long long)file->bytes,
                        (unsigned long long)facts.st_size);
}

wi_file_gives wi_file_read(wi_file *file, char *to, size_t room, bool wait, size_t *got_out,
                           weir_err **err_out)
{
    *got_out = 0;
    if (file->unpack)
        return read_packed(file, to, room, wait, got_out, err_out);
    wi_file_gives gives = read_bytes(file, to, room, wait, got_out, err_out);
    if (gives != WI_FILE_BYTES || *got_out)
        return gives;
    *err_out = has_shrunk(file);
    return *err_out ? WI_FILE_FAILS : WI_FILE_ENDS;
}
