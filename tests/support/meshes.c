/* Meshes for tests. See meshes.h. */
#include "meshes.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KIND_NUMBERED 0x4242
#define PATIENCE_NS 60000000000u

/* What a numbered frame begins with. The rest are words that follow from it. */
typedef struct numbered {
    uint64_t number;
    uint32_t sender, check;
} numbered;

uint64_t test_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t word_of(const numbered *head, size_t i)
{
    return (head->number * 0x9e3779b97f4a7c15u + head->sender + i) * 0xff51afd7ed558ccdu;
}

static void fill(char *bytes, size_t count, const numbered *head)
{
    size_t used = count < sizeof *head ? count : sizeof *head;
    memcpy(bytes, head, used);
    for (size_t i = 0; used < count; i++) {
        uint64_t word = word_of(head, i);
        size_t left = count - used < sizeof word ? count - used : sizeof word;
        memcpy(bytes + used, &word, left);
        used += left;
    }
}

static bool is_filled(const char *bytes, size_t count, const numbered *head)
{
    size_t used = sizeof *head;
    for (size_t i = 0; used < count; i++) {
        uint64_t word = word_of(head, i);
        size_t left = count - used < sizeof word ? count - used : sizeof word;
        if (memcmp(bytes + used, &word, left) != 0)
            return false;
        used += left;
    }
    return true;
}

/* ---- callbacks -------------------------------------------------------------------------- */

static void on_frame(void *arg, const wi_arrival *arrival)
{
    test_process *process = arg;
    numbered head;
    pthread_mutex_lock(&process->lock);
    process->taken_in_all++;
    const char *wrong = NULL;
    if (process->downs && process->down_process == arrival->process)
        wrong = "it came after down";
    else if ((uintptr_t)arrival->bytes % 64 != 0)
        wrong = "it does not start on a cache line";
    else if (arrival->kind == KIND_NUMBERED && arrival->count >= sizeof head) {
        memcpy(&head, arrival->bytes, sizeof head);
        uint64_t *taken = &process->taken[arrival->process][arrival->lane]
                                         [head.sender % TEST_SENDERS_MAX];
        if (head.number != *taken)
            wrong = "it is not the next one";
        else if (head.check != arrival->count || !is_filled(arrival->bytes, head.check, &head))
            wrong = "it is not whole";
        ++*taken;
    }
    if (wrong && !process->wrong[0])
        snprintf(process->wrong, sizeof process->wrong, "a frame from %u to %u, lane %d: %s",
                 arrival->process, process->config.process, arrival->lane, wrong);
    pthread_mutex_unlock(&process->lock);
}

static void on_down(void *arg, uint32_t process_down, weir_err *why)
{
    test_process *process = arg;
    pthread_mutex_lock(&process->lock);
    if (!process->downs++) {
        process->down_process = process_down;
        snprintf(process->down, sizeof process->down, "%s", weir_err_message(why));
    }
    pthread_mutex_unlock(&process->lock);
    weir_err_free(why);
}

static void on_wake(void *arg)
{
    test_process *process = arg;
    pthread_mutex_lock(&process->lock);
    process->awake = true;
    pthread_cond_broadcast(&process->woken);
    pthread_mutex_unlock(&process->lock);
}

/* ---- opening and closing ---------------------------------------------------------------- */

void test_meshes_init(test_meshes *meshes, uint32_t count, const char *url)
{
    memset(meshes, 0, sizeof *meshes);
    meshes->count = count;
    for (uint32_t i = 0; i < count; i++) {
        test_process *process = &meshes->at[i];
        process->processes = count;
        process->config = (wi_mesh_config){.process = i,
                                           .processes = count,
                                           .workers = 2,
                                           .cluster = "test",
                                           .generation = 7,
                                           .connect_ns = 10000000000u,
                                           .frame = on_frame,
                                           .down = on_down,
                                           .wake = on_wake,
                                           .arg = process};
        char *percent = strstr(url, "%d");
        if (percent)
            snprintf(process->listen, sizeof process->listen, "%.*s%u%s", (int)(percent - url),
                     url, i, percent + 2);
        else
            snprintf(process->listen, sizeof process->listen, "%s", url);
        pthread_mutex_init(&process->lock, NULL);
        pthread_cond_init(&process->woken, NULL);
    }
}

static void keep(char *to, size_t bytes, weir_err *err)
{
    if (err)
        snprintf(to, bytes, "%s", weir_err_message(err));
    weir_err_free(err);
}

static void *connect_one(void *arg)
{
    test_process *process = arg;
    keep(process->opened, sizeof process->opened, wi_mesh_connect(process->mesh, process->urls));
    if (process->opened[0]) { /* as a process that ends would */
        wi_mesh_close(process->mesh);
        process->mesh = NULL;
    }
    return NULL;
}

void test_meshes_open(test_meshes *meshes, uint32_t absent)
{
    pthread_t threads[TEST_PROCESSES_MAX];
    for (uint32_t i = 0; i < meshes->count; i++) {
        test_process *process = &meshes->at[i];
        if (!(absent >> i & 1))
            keep(process->opened, sizeof process->opened,
                 wi_mesh_listen(&process->config, process->listen, &process->mesh));
    }
    for (uint32_t i = 0; i < meshes->count; i++)
        for (uint32_t j = 0; j < meshes->count; j++)
            if (!meshes->at[i].urls[j])
                meshes->at[i].urls[j] = meshes->at[j].mesh ? wi_mesh_url(meshes->at[j].mesh)
                                                           : meshes->at[j].listen;
    bool started[TEST_PROCESSES_MAX] = {false};
    for (uint32_t i = 0; i < meshes->count; i++)
        if (meshes->at[i].mesh)
            started[i] = pthread_create(&threads[i], NULL, connect_one, &meshes->at[i]) == 0;
    for (uint32_t i = 0; i < meshes->count; i++)
        if (started[i])
            pthread_join(threads[i], NULL);
}

void test_meshes_open_all(test_meshes *meshes)
{
    test_meshes_open(meshes, 0);
    for (uint32_t i = 0; i < meshes->count; i++)
        ck_assert_str_eq(meshes->at[i].opened, "");
}

void test_meshes_part(test_meshes *meshes)
{
    for (uint32_t i = 0; i < meshes->count; i++)
        wi_mesh_goodbye(meshes->at[i].mesh);
    uint64_t until_ns = test_now_ns() + PATIENCE_NS;
    for (bool parted = false; !parted;) {
        parted = true;
        for (uint32_t i = 0; i < meshes->count; i++) {
            wi_mesh_poll(meshes->at[i].mesh, test_now_ns());
            ck_assert_str_eq(meshes->at[i].down, "");
            parted &= wi_mesh_parted(meshes->at[i].mesh);
        }
        ck_assert_msg(test_now_ns() < until_ns, "they do not part");
    }
}

void test_meshes_close(test_meshes *meshes)
{
    for (uint32_t i = 0; i < meshes->count; i++) {
        test_process *process = &meshes->at[i];
        wi_mesh_close(process->mesh);
        process->mesh = NULL;
        pthread_mutex_destroy(&process->lock);
        pthread_cond_destroy(&process->woken);
    }
}

void test_meshes_until_down(test_meshes *meshes, uint32_t process, uint32_t asleep)
{
    uint64_t until_ns = test_now_ns() + PATIENCE_NS;
    while (!meshes->at[process].downs) {
        for (uint32_t i = 0; i < meshes->count; i++) {
            if (!meshes->at[i].mesh || asleep >> i & 1)
                continue;
            wi_mesh_poll(meshes->at[i].mesh, test_now_ns());
            wi_mesh_tick(meshes->at[i].mesh, test_now_ns());
        }
        ck_assert_msg(test_now_ns() < until_ns, "nobody noticed");
    }
}

/* ---- frames ----------------------------------------------------------------------------- */

/* Memory that a frame lies in until it is sent. */
typedef struct outgoing {
    test_process *process;
    char bytes[];
} outgoing;

static void on_sent(void *arg)
{
    outgoing *frame = arg;
    atomic_fetch_add(&frame->process->acknowledged, 1);
    free(frame);
}

void test_send_numbered(test_process *from, uint32_t to, wi_lane lane, uint32_t sender,
                        uint64_t number, size_t bytes, bool copied)
{
    numbered head = {number, sender, (uint32_t)bytes};
    ck_assert_uint_ge(bytes, sizeof head);
    outgoing *frame = malloc(sizeof *frame + bytes);
    frame->process = from;
    fill(frame->bytes, bytes, &head);
    /* In several pieces, some of them empty. */
    size_t cut = number % (bytes + 1), third = cut / 3;
    wi_part parts[] = {{frame->bytes, third},
                       {NULL, 0},
                       {frame->bytes + third, cut - third},
                       {frame->bytes + cut, bytes - cut}};
    wi_part whole = {frame->bytes, bytes};
    bool one = number % 2;
    wi_mesh_send(from->mesh, to, lane, KIND_NUMBERED, one ? &whole : parts, one ? 1 : 4,
                 copied ? NULL : on_sent, frame);
    if (copied)
        on_sent(frame);
}

void test_frames_right(test_meshes *meshes)
{
    for (uint32_t i = 0; i < meshes->count; i++)
        ck_assert_str_eq(meshes->at[i].wrong, "");
}
