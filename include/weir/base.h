/* Common ground of the public headers: visibility, errors, attributes.
 *
 * Every public name begins with weir_ or WEIR_. Headers say for each function who may
 * call it ("worker": only the worker thread that owns the object; "any": any thread),
 * who owns what, and which errors it can give. */
#ifndef WEIR_BASE_H
#define WEIR_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#error "weir's headers are C (C11 with GNU extensions); wrap them in a C file"
#endif

#define WEIR_VERSION_MAJOR 0
#define WEIR_VERSION_MINOR 1
#define WEIR_VERSION_PATCH 0
#define WEIR_VERSION "0.1.0"

#define WEIR_API __attribute__((visibility("default")))
#define WEIR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define WEIR_UNUSED __attribute__((unused))
#define WEIR_LIKELY(x) __builtin_expect(!!(x), 1)
#define WEIR_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Everything that can go wrong at an edge (configuration, files, graph building).
 * NULL is success. The caller owns an error and frees it with weir_err_free. */
typedef struct weir_err weir_err;

/* any. The message says what, where and what to do; valid until weir_err_free. */
WEIR_API const char *weir_err_message(const weir_err *err);
/* any. A new error with a formatted message; never NULL. */
WEIR_API weir_err *weir_err_new(const char *format, ...) WEIR_PRINTF(1, 2);
/* any. NULL is allowed. */
WEIR_API void weir_err_free(weir_err *err);
/* any. The version of the library that is running, e.g. "0.1.0". */
WEIR_API const char *weir_version(void);

#endif
