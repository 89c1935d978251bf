/* See fiber.h. ucontext gives each worker its stack; nothing here runs in parallel. */
#include "fiber.h"

#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

#include "../base/alloc.h"
#include "../base/assert.h"
#include "tsan.h"

#if defined(__SANITIZE_ADDRESS__)
#define ASAN_FIBERS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN_FIBERS 1
#endif
#endif
#ifdef ASAN_FIBERS
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_BYTES (UINT64_C(8) << 20)
#define TURN_NS 1000

typedef struct wi_fibers {
    wi_process *process;
    wi_fiber *fibers;
    ucontext_t scheduler;
    uint64_t random;
    void (*body)(weir_worker *worker);
    void *tsan;
#ifdef ASAN_FIBERS
    const void *stack;
    size_t stack_bytes;
    void *fake;
#endif
} wi_fibers;

struct wi_fiber {
    wi_fibers *all;
    weir_worker *worker;
    ucontext_t context;
    void *stack;
    bool finished, idle;
    uint64_t until_ns;
    void *tsan;
#ifdef ASAN_FIBERS
    void *fake;
#endif
};

static uint64_t draw(wi_fibers *all)
{
    uint64_t z = all->random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static void fiber_main(unsigned high, unsigned low)
{
    wi_fiber *fiber = (wi_fiber *)(uintptr_t)((uint64_t)high << 32 | low);
#ifdef ASAN_FIBERS
    __sanitizer_finish_switch_fiber(NULL, &fiber->all->stack, &fiber->all->stack_bytes);
#endif
    fiber->all->body(fiber->worker);
    fiber->finished = true;
#ifdef ASAN_FIBERS
    __sanitizer_start_switch_fiber(NULL, fiber->all->stack, fiber->all->stack_bytes);
#endif
    wi_tsan_fiber_switch(fiber->all->tsan);
    setcontext(&fiber->all->scheduler);
}

static void resume(wi_fibers *all, wi_fiber *fiber)
{
#ifdef ASAN_FIBERS
    __sanitizer_start_switch_fiber(&all->fake, fiber->stack, STACK_BYTES);
#endif
    wi_tsan_fiber_switch(fiber->tsan);
    swapcontext(&all->scheduler, &fiber->context);
#ifdef ASAN_FIBERS
    __sanitizer_finish_switch_fiber(all->fake, NULL, NULL);
#endif
}

void wi_fiber_yield(wi_fiber *fiber, bool idle, uint64_t until_ns)
{
    wi_fibers *all = fiber->all;
    fiber->idle = idle;
    fiber->until_ns = until_ns;
#ifdef ASAN_FIBERS
    __sanitizer_start_switch_fiber(&fiber->fake, all->stack, all->stack_bytes);
#endif
    wi_tsan_fiber_switch(all->tsan);
    swapcontext(&fiber->context, &all->scheduler);
#ifdef ASAN_FIBERS
    __sanitizer_finish_switch_fiber(fiber->fake, &all->stack, &all->stack_bytes);
#endif
}

static void start_fiber(wi_fibers *all, wi_fiber *fiber, weir_worker *worker)
{
    fiber->all = all;
    fiber->worker = worker;
    worker->fiber = fiber;
    fiber->tsan = wi_tsan_fiber_new();
    fiber->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    wi_assert(fiber->stack != MAP_FAILED, "a fiber's stack can be mapped");
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    fiber->context.uc_link = NULL;
    uint64_t address = (uint64_t)(uintptr_t)fiber;
    makecontext(&fiber->context, (void (*)(void))fiber_main, 2, (unsigned)(address >> 32),
                (unsigned)address);
}

/* Nobody has anything to do: time passes up to the first deadline. Without one the run
 * waits for another thread (a feed); it is not deterministic then, but it must not spin. */
static void pass_time(wi_fibers *all, uint32_t workers)
{
    uint64_t first = UINT64_MAX;
    for (uint32_t i = 0; i < workers; i++)
        if (!all->fibers[i].finished && all->fibers[i].until_ns < first)
            first = all->fibers[i].until_ns;
    uint64_t now = atomic_load_explicit(&all->process->virtual_ns, memory_order_relaxed);
    if (first != UINT64_MAX && first > now) {
        atomic_store_explicit(&all->process->virtual_ns, first, memory_order_relaxed);
        return;
    }
    nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

void wi_fibers_run(wi_process *process, void (*body)(weir_worker *worker))
{
    uint32_t workers = process->local_workers;
    wi_fibers all = {.process = process, .body = body, .random = process->config.seed,
                     .tsan = wi_tsan_fiber_current()};
    all.fibers = WI_NEWS(wi_fiber, workers);
    for (uint32_t i = 0; i < workers; i++)
        start_fiber(&all, &all.fibers[i], &process->worker[i]);
    uint32_t live = workers;
    uint32_t idle_in_a_row = 0;
    while (live) {
        uint32_t pick = (uint32_t)(draw(&all) % workers);
        while (all.fibers[pick].finished)
            pick = (pick + 1) % workers;
        wi_fiber *fiber = &all.fibers[pick];
        atomic_fetch_add_explicit(&process->virtual_ns, TURN_NS, memory_order_relaxed);
        resume(&all, fiber);
        live -= fiber->finished;
        idle_in_a_row = fiber->finished || !fiber->idle ? 0 : idle_in_a_row + 1;
        if (live && idle_in_a_row > 8 * workers + 64) {
            pass_time(&all, workers);
            idle_in_a_row = 8 * workers;
        }
    }
    for (uint32_t i = 0; i < workers; i++) {
        munmap(all.fibers[i].stack, STACK_BYTES);
        wi_tsan_fiber_free(all.fibers[i].tsan);
        process->worker[i].fiber = NULL;
    }
    wi_free(all.fibers);
}
