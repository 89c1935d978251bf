/* The bytes of a file, a pipe or the standard input, unpacked if its name says that it is packed.
 * One thread at a time. */
#ifndef WEIR_OPERATORS_IO_FILE_H
#define WEIR_OPERATORS_IO_FILE_H

#include <weir/base.h>
#include <weir/sink.h>

typedef struct wi_file wi_file;

/* NULL and *err_out if it cannot be opened. "-" is the standard input. */
wi_file *wi_file_open(const char *path, weir_err **err_out);
void wi_file_close(wi_file *file);
/* To see how it begins: after wi_file_put_back, who opens that path in this process gets all of it,
 * of what can be read once only, too. Any thread. */
wi_file *wi_file_look(const char *path, weir_err **err_out);
void wi_file_put_back(wi_file *file);
/* Whether it can be opened, and what wi_file_bytes would say; nothing is taken from a pipe. */
weir_err *wi_file_try(const char *path, uint64_t *bytes_out);

typedef enum wi_file_gives {
    WI_FILE_BYTES,
    WI_FILE_NONE_YET, /* a pipe; only if it is not to be waited for */
    WI_FILE_ENDS,
    WI_FILE_FAILS /* with *err_out */
} wi_file_gives;

/* Some bytes, up to `room`. */
wi_file_gives wi_file_read(wi_file *file, char *to, size_t room, bool wait, size_t *got_out,
                           weir_err **err_out);
/* How many bytes it has, if it can be read from any place: a plain file, not packed; or 0. */
uint64_t wi_file_bytes(const wi_file *file);
/* That it still has as many. */
weir_err *wi_file_check(const wi_file *file, uint64_t bytes);
/* Only of those: what is read next. */
void wi_file_go_to(wi_file *file, uint64_t at);

/* What the name says of what is in it, .gz and so on apart; `otherwise` if it says nothing. */
weir_row_format wi_file_format(const char *path, weir_row_format otherwise);
/* Whether only this process can mean what is there: its own standard input, say. */
bool wi_file_is_own(const char *path);

#endif
