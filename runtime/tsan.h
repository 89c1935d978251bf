/* liburcu synchronises with instructions that ThreadSanitizer cannot see. These tell it
 * what RCU guarantees: what a reader did before its quiescent state happens before a
 * callback that was deferred earlier. Nothing in other builds. */
#ifndef WEIR_RUNTIME_TSAN_H
#define WEIR_RUNTIME_TSAN_H

#include <stdatomic.h>

#if defined(__SANITIZE_THREAD__)
#define WI_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WI_TSAN 1
#endif
#endif

#ifdef WI_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
extern char wi_tsan_quiescent;
#define wi_tsan_release_quiescent() __tsan_release(&wi_tsan_quiescent)
#define wi_tsan_acquire(head) ((void)(head), __tsan_acquire(&wi_tsan_quiescent))
/* It does not know fences either; a read-modify-write orders as much. */
extern _Atomic(int) wi_tsan_fence;
#define wi_full_fence() ((void)atomic_fetch_add(&wi_tsan_fence, 1))
/* Nor whose stack runs after a switch of contexts. */
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
#define wi_tsan_fiber_current() __tsan_get_current_fiber()
#define wi_tsan_fiber_new() __tsan_create_fiber(0)
#define wi_tsan_fiber_free(fiber) __tsan_destroy_fiber(fiber)
#define wi_tsan_fiber_switch(fiber) __tsan_switch_to_fiber((fiber), 0)
#else
#define wi_tsan_release_quiescent() ((void)0)
#define wi_tsan_acquire(head) ((void)(head))
#define wi_full_fence() atomic_thread_fence(memory_order_seq_cst)
#define wi_tsan_fiber_current() NULL
#define wi_tsan_fiber_new() NULL
#define wi_tsan_fiber_free(fiber) ((void)(fiber))
#define wi_tsan_fiber_switch(fiber) ((void)(fiber))
#endif

#endif
