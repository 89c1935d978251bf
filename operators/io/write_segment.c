/* Files under temporary names, and publishing them; see write_segment.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../base/alloc.h"
#include "write_segment.h"

/* What is compressed at once, at most: lengths of zlib have 32 bits. */
#define PIECE_BYTES ((size_t)16 << 20)
#define EPOCH_DIGITS 20
#define TEMPORARY_END ".part"
#define LOCK_END ".lock"
/* Who was killed a moment ago may be about to give up its lock. */
#define LOCK_TRIES 200
#define LOCK_PAUSE_NS 10000000

/* ---- names ------------------------------------------------------------------------------ */

bool wi_segments_prefix(const char *prefix)
{
    size_t length = prefix ? strlen(prefix) : 0;
    if (length == 0 || length > WI_SEGMENT_PREFIX_MAX || prefix[0] == '.')
        return false;
    return strspn(prefix, "abcdefghijklmnopqrstuvwxyz0123456789._-") == length;
}

bool wi_segments_extension(const char *extension, weir_row_format *format_out,
                           wi_compression *compression_out)
{
    static const char *const formats[] = {
        [WEIR_TSV] = "tsv", [WEIR_CSV] = "csv", [WEIR_JSON] = "jsonl"};
    static const char *const compressions[] = {
        [WI_UNCOMPRESSED] = "", [WI_GZIP] = ".gz", [WI_ZSTD] = ".zst"};
    for (unsigned f = 0; f < sizeof formats / sizeof *formats; f++) {
        size_t length = strlen(formats[f]);
        if (strncmp(extension, formats[f], length) != 0)
            continue;
        for (unsigned p = 0; p < sizeof compressions / sizeof *compressions; p++)
            if (strcmp(extension + length, compressions[p]) == 0) {
                *format_out = (weir_row_format)f;
                *compression_out = (wi_compression)p;
                return true;
            }
    }
    return false;
}

/* Multiples of `every`, of event time if that is what epochs are: it is 2^63 less. What would be
 * beyond the ends of the integers stops there. */
void wi_segment_range(const weir_write *how, uint64_t epoch, uint64_t *first_out,
                      uint64_t *last_out)
{
    uint64_t every = how->every ? how->every : 1;
    __int128 zero = how->event_time ? (__int128)1 << 63 : 0;
    __int128 value = (__int128)epoch - zero, remainder = value % every;
    __int128 first = epoch - (remainder < 0 ? remainder + every : remainder);
    __int128 last = first + every - 1;
    *first_out = first < 0 ? 0 : (uint64_t)first;
    *last_out = last > UINT64_MAX ? UINT64_MAX : (uint64_t)last;
}

/* 20 characters, in the order of epochs in every locale: digits, or, of an event time, `p` and 19
 * digits, or `m` and what a negative one lacks from 10^19. */
static void epoch_text(const weir_write *how, uint64_t epoch, char *text)
{
    int64_t time = (int64_t)(epoch ^ UINT64_C(1) << 63);
    if (!how->event_time)
        snprintf(text, EPOCH_DIGITS + 1, "%020llu", (unsigned long long)epoch);
    else if (time >= 0)
        snprintf(text, EPOCH_DIGITS + 1, "p%019llu", (unsigned long long)time);
    else
        snprintf(text, EPOCH_DIGITS + 1, "m%019llu",
                 (unsigned long long)(UINT64_C(10000000000000000000) + (uint64_t)time));
}

const char *wi_segment_name(const wi_segments *all, const wi_segment *segment, char *buffer)
{
    char epoch[EPOCH_DIGITS + 1], worker[16] = "";
    epoch_text(all->how, segment->first, epoch);
    if (all->worker != UINT32_MAX)
        snprintf(worker, sizeof worker, "-w%04u", all->worker);
    snprintf(buffer, WI_SEGMENT_NAME_BYTES, "%s-%s%s.%s", all->how->prefix, epoch, worker,
             all->how->extension);
    return buffer;
}

static const char *temporary_name(const wi_segments *all, const wi_segment *segment, char *buffer)
{
    char name[WI_SEGMENT_NAME_BYTES];
    wi_segment_name(all, segment, name);
    snprintf(buffer, WI_SEGMENT_NAME_BYTES, ".%.150s" TEMPORARY_END, name);
    return buffer;
}

static weir_err *cannot(const wi_segments *all, const char *what, const char *name)
{
    return weir_err_new("cannot %s `%s/%s`: %s", what, all->how->directory, name, strerror(errno));
}

/* ---- the directory ---------------------------------------------------------------------- */

/* Who writes all files holds what worker 0 would hold of its own: so a job of one kind keeps out
 * those of the other. */
static uint32_t lock_worker(const wi_segments *all)
{
    return all->worker == UINT32_MAX ? 0 : all->worker;
}

static const char *lock_name(const wi_segments *all, char *buffer)
{
    snprintf(buffer, WI_SEGMENT_NAME_BYTES, ".%s-w%04u.%s" LOCK_END, all->how->prefix,
             lock_worker(all), all->how->extension);
    return buffer;
}

typedef enum locked { LOCKED, HELD, GONE, NO_LOCKS } locked;

/* GONE: who held it has removed it meanwhile. */
static locked try_lock(int file)
{
    struct stat facts;
    if (flock(file, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? HELD : NO_LOCKS;
    return fstat(file, &facts) < 0 || facts.st_nlink ? LOCKED : GONE;
}

/* S4. The system gives it up for who dies. */
static weir_err *lock(wi_segments *all)
{
    char name[WI_SEGMENT_NAME_BYTES];
    lock_name(all, name);
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        int file = openat(all->directory, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (file < 0)
            return cannot(all, "make", name);
        locked how = try_lock(file);
        if (how == LOCKED || how == NO_LOCKS) {
            all->lock = file;
            return NULL;
        }
        close(file);
        if (how == HELD)
            nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
    }
    return weir_err_new("`%s/%s` is held by somebody else who writes such files: another process, "
                        "or another sink of this one. Give each a prefix or a directory of its own",
                        all->how->directory, name);
}

static void unlock(wi_segments *all)
{
    char name[WI_SEGMENT_NAME_BYTES];
    if (all->lock < 0)
        return;
    unlinkat(all->directory, lock_name(all, name), 0);
    close(all->lock);
    all->lock = -1;
}

weir_err *wi_segments_open(wi_segments *all)
{
    const char *path = all->how->directory;
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        return weir_err_new("cannot make the directory `%s`: %s", path, strerror(errno));
    all->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (all->directory < 0)
        return weir_err_new("cannot open the directory `%s`: %s", path, strerror(errno));
    if (faccessat(all->directory, ".", W_OK | X_OK, AT_EACCESS) < 0) {
        weir_err *err =
            weir_err_new("cannot write in the directory `%s`: %s", path, strerror(errno));
        close(all->directory);
        all->directory = -1;
        return err;
    }
    all->compressor = wi_compressor_new(all->compression);
    return lock(all);
}

void wi_segments_close(wi_segments *all)
{
    unlock(all);
    if (all->directory >= 0)
        close(all->directory);
    all->directory = -1;
    wi_compressor_free(all->compressor);
    all->compressor = NULL;
    wi_bytes_fini(&all->compressed);
}

/* After a prefix: 20 characters that say an epoch. */
static bool is_epoch(const char *text)
{
    return *text && strchr("0123456789pm", *text) &&
           strspn(text + 1, "0123456789") == EPOCH_DIGITS - 1;
}

/* "-w0012", if it is there; where it ends. */
static const char *after_worker(const char *name, uint32_t *worker_out)
{
    *worker_out = 0;
    if (strncmp(name, "-w", 2) != 0 || strspn(name + 2, "0123456789") != 4)
        return name;
    for (unsigned i = 2; i < 6; i++)
        *worker_out = *worker_out * 10 + (uint32_t)(name[i] - '0');
    return name + 6;
}

/* Whether a name is that of a temporary file with this prefix and extension, or of the lock of a
 * worker that there is no more, and of which worker: of a job that was killed, which may have had
 * more workers, or epochs of another kind. */
static bool is_left(const wi_segments *all, const char *name, uint32_t *worker_out)
{
    size_t prefix = strlen(all->how->prefix), extension = strlen(all->how->extension);
    if (*name++ != '.' || strncmp(name, all->how->prefix, prefix) != 0 || name[prefix] != '-')
        return false;
    bool temporary = is_epoch(name + prefix + 1);
    name = after_worker(name + prefix + temporary * (1 + EPOCH_DIGITS), worker_out);
    return *name == '.' && strncmp(name + 1, all->how->extension, extension) == 0 &&
           strcmp(name + 1 + extension, temporary ? TEMPORARY_END : LOCK_END) == 0 &&
           (temporary || *worker_out != lock_worker(all));
}

weir_err *wi_segments_clean(const wi_segments *all, uint32_t of, uint32_t workers)
{
    int again = openat(all->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = again < 0 ? NULL : fdopendir(again);
    if (!directory) {
        if (again >= 0)
            close(again);
        return cannot(all, "read", ".");
    }
    weir_err *err = NULL;
    uint32_t worker;
    for (struct dirent *entry; !err && (entry = readdir(directory));)
        if (is_left(all, entry->d_name, &worker) && worker % workers == of &&
            unlinkat(all->directory, entry->d_name, 0) < 0 && errno != ENOENT)
            err = cannot(all, "remove", entry->d_name);
    closedir(directory);
    return err;
}

weir_err *wi_segments_sync(const wi_segments *all)
{
    if (all->how->unsynced || fsync(all->directory) == 0)
        return NULL;
    return cannot(all, "sync", ".");
}

/* ---- a file ----------------------------------------------------------------------------- */

static weir_err *open_file(const wi_segments *all, wi_segment *segment, const char *name,
                           int *file_out)
{
    int how = segment->made ? O_APPEND : O_CREAT | O_EXCL;
    *file_out = openat(all->directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | how, 0666);
    if (*file_out < 0)
        return cannot(all, segment->made ? "open" : "make", name);
    segment->made = true;
    return NULL;
}

static weir_err *write_all(const wi_segments *all, const char *name, int file, const char *from,
                           size_t length)
{
    while (length) {
        ssize_t written = write(file, from, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return cannot(all, "write", name);
        from += written;
        length -= (size_t)written;
    }
    return NULL;
}

static weir_err *write_lines(wi_segments *all, wi_segment *segment, const char *name, int file)
{
    const wi_bytes *lines = &segment->lines;
    weir_err *err = NULL;
    for (size_t at = 0; !err && at < lines->length;) {
        size_t piece = lines->length - at < PIECE_BYTES ? lines->length - at : PIECE_BYTES;
        const char *from = lines->at + at;
        size_t length = piece;
        if (all->compression != WI_UNCOMPRESSED) {
            all->compressed.length = 0;
            wi_compress(all->compressor, &all->compressed, from, piece);
            from = all->compressed.at;
            length = all->compressed.length;
        }
        err = write_all(all, name, file, from, length);
        segment->bytes += length;
        at += piece;
    }
    return err;
}

/* Closes it, after syncing it if that is wanted. */
static weir_err *close_file(const wi_segments *all, const char *name, int file, bool sync,
                            weir_err *err)
{
    if (!err && sync && !all->how->unsynced && fsync(file) < 0)
        err = cannot(all, "sync", name);
    if (close(file) < 0 && !err && errno != EINTR)
        err = cannot(all, "close", name);
    return err;
}

static weir_err *put(wi_segments *all, wi_segment *segment, bool sync)
{
    char name[WI_SEGMENT_NAME_BYTES];
    int file;
    temporary_name(all, segment, name);
    weir_err *err = open_file(all, segment, name, &file);
    if (err)
        return err;
    err = close_file(all, name, file, sync, write_lines(all, segment, name, file));
    all->waiting -= segment->lines.length;
    segment->lines.length = 0;
    return err;
}

weir_err *wi_segment_flush(wi_segments *all, wi_segment *segment)
{
    return segment->lines.length ? put(all, segment, false) : NULL;
}

/* Where the file system cannot rename without replacing, a second name does it. */
static int rename_new(int directory, const char *from, const char *to)
{
    if (renameat2(directory, from, directory, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    return linkat(directory, from, directory, to, 0) < 0 ? -1 : unlinkat(directory, from, 0);
}

weir_err *wi_segment_publish(wi_segments *all, wi_segment *segment, bool *there_out)
{
    char from[WI_SEGMENT_NAME_BYTES], to[WI_SEGMENT_NAME_BYTES];
    temporary_name(all, segment, from);
    wi_segment_name(all, segment, to);
    *there_out = false;
    weir_err *err = put(all, segment, true);
    if (err)
        return err;
    int failed = all->how->existing == WEIR_EXISTING_REPLACE
                     ? renameat(all->directory, from, all->directory, to)
                     : rename_new(all->directory, from, to);
    if (failed && errno == EEXIST && all->how->existing == WEIR_EXISTING_KEEP) {
        *there_out = true;
        return NULL; /* wi_segment_fini removes it */
    }
    if (failed && errno == EEXIST)
        return weir_err_new("`%s/%s` is there already; remove it, write elsewhere, or say what to "
                            "do with such files (.existing)",
                            all->how->directory, to);
    if (failed)
        return cannot(all, "publish", to);
    segment->made = false;
    return NULL;
}

void wi_segment_fini(wi_segments *all, wi_segment *segment)
{
    char name[WI_SEGMENT_NAME_BYTES];
    if (segment->made)
        unlinkat(all->directory, temporary_name(all, segment, name), 0);
    all->waiting -= segment->lines.length;
    wi_bytes_fini(&segment->lines);
}
