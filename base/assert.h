/* Assertions are for bugs: they name the broken invariant and abort. wi_assert is always
 * on (control plane, once a batch); wi_dassert only in debug builds (per row). wi_require is
 * for what a program must not do and what no error could be given for. */
#ifndef WEIR_BASE_ASSERT_H
#define WEIR_BASE_ASSERT_H

#include <weir/base.h>

void wi_assert_failed(const char *invariant, const char *expression, const char *file, int line)
    __attribute__((noreturn, cold));

void wi_require_failed(const char *what) __attribute__((noreturn, cold));

#define wi_require(condition, what)                                                            \
    (WEIR_LIKELY(condition) ? (void)0 : wi_require_failed(what))

#define wi_assert(condition, invariant)                                                        \
    (WEIR_LIKELY(condition) ? (void)0                                                          \
                            : wi_assert_failed((invariant), #condition, __FILE__, __LINE__))

#ifdef WEIR_DEBUG
#define wi_dassert(condition, invariant) wi_assert(condition, invariant)
#else
#define wi_dassert(condition, invariant) ((void)sizeof((condition) ? 1 : 0))
#endif

#endif
