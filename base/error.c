/* Error values, the library's version, and failed assertions. */
#include <weir/base.h>

#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "assert.h"

struct weir_err {
    char *message;
};

weir_err *weir_err_new(const char *format, ...)
{
    weir_err *err = WI_NEW(weir_err);
    va_list args;
    va_start(args, format);
    if (vasprintf(&err->message, format, args) < 0)
        err->message = wi_strdup("(an error whose message could not be formatted)");
    va_end(args);
    return err;
}

const char *weir_err_message(const weir_err *err)
{
    return err ? err->message : "no error";
}

void weir_err_free(weir_err *err)
{
    if (!err)
        return;
    free(err->message);
    wi_free(err);
}

const char *weir_version(void)
{
    return WEIR_VERSION;
}

void wi_require_failed(const char *what)
{
    fprintf(stderr, "weir: the program uses weir in a way that is not possible: %s\n", what);
    abort();
}

void wi_assert_failed(const char *invariant, const char *expression, const char *file, int line)
{
    fprintf(stderr, "weir: broken invariant: %s (%s, %s:%d). This is a bug in weir.\n", invariant,
            expression, file, line);
    abort();
}
