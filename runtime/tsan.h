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
#else
#define wi_tsan_release_quiescent() ((void)0)
#define wi_tsan_acquire(head) ((void)(head))
#define wi_full_fence() atomic_thread_fence(memory_order_seq_cst)
#endif

#endif
