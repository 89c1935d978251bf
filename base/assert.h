/* Assertions are for bugs: they name the broken invariant and abort. wi_assert is always
 * on (control plane, once a batch); wi_dassert only in debug builds (per row). */
#ifndef WEIR_BASE_ASSERT_H
#define WEIR_BASE_ASSERT_H

#include <weir/base.h>

void wi_assert_failed(const char *invariant, const char *expression, const char *file, int line)
    __attribute__((noreturn, cold));

#define wi_assert(condition, invariant)                                                        \
    (WEIR_LIKELY(condition) ? (void)0                                                          \
                            : wi_assert_failed((invariant), #condition, __FILE__, __LINE__))

#ifdef WEIR_DEBUG
#define wi_dassert(condition, invariant) wi_assert(condition, invariant)
#else
#define wi_dassert(condition, invariant) ((void)sizeof((condition) ? 1 : 0))
#endif

#endif
