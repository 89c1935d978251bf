/* Greetings: encoding, decoding within limits, and judgement. See handshake.h. */
#include "handshake.h"

#include <inttypes.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <proto/handshake.pb-c.h>

#include "../base/alloc.h"
#include "../base/assert.h"

#define LAYOUT 1
#define BYTE_ORDER_HERE 0x01020304u
/* A hello decodes into some 400 bytes. */
#define DECODE_BYTES_MAX 1024

/* ---- encoding --------------------------------------------------------------------------- */

static void set_prefix(wi_greeting *greeting, wi_greeting_type type, size_t bytes)
{
    greeting->bytes = (uint32_t)(WI_GREETING_PREFIX_BYTES + bytes);
    wi_assert(greeting->bytes <= sizeof greeting->at, "a greeting has at most 256 bytes");
    const unsigned char prefix[WI_GREETING_PREFIX_BYTES] = {
        'w', 'e', 'i', 'r', (unsigned char)type, LAYOUT, (unsigned char)bytes,
        (unsigned char)(bytes >> 8)};
    memcpy(greeting->at, prefix, sizeof prefix);
}

weir_err *wi_hello_init(wi_hello *hello)
{
    *hello = (wi_hello){.protocol = WI_PROTOCOL,
                        .byte_order = BYTE_ORDER_HERE,
                        .version = WEIR_VERSION,
                        .aes = wi_seal_has_aes()};
    if (getrandom(hello->nonce, sizeof hello->nonce, 0) != (ssize_t)sizeof hello->nonce)
        return weir_err_new("the system gave no random numbers for the handshake: %s",
                            strerror(errno));
    return NULL;
}

void wi_hello_encode(const wi_hello *hello, wi_greeting *greeting_out)
{
    Weir__Hello message = WEIR__HELLO__INIT;
    message.protocol = hello->protocol;
    message.byte_order = (ProtobufCBinaryData){4, (uint8_t *)(uintptr_t)&hello->byte_order};
    message.version = (char *)(uintptr_t)hello->version;
    message.cluster = (char *)(uintptr_t)hello->cluster;
    message.generation = hello->generation;
    message.process = hello->process;
    message.processes = hello->processes;
    message.workers = hello->workers;
    message.lane = hello->lane;
    message.keyed = hello->keyed;
    message.aes = hello->aes;
    message.instance = hello->instance;
    message.memory_pid = hello->memory.pid;
    message.memory_descriptor = hello->memory.descriptor;
    message.nonce = (ProtobufCBinaryData){WI_NONCE_BYTES, (uint8_t *)(uintptr_t)hello->nonce};
    set_prefix(greeting_out, WI_GREETING_HELLO, weir__hello__get_packed_size(&message));
    weir__hello__pack(&message, greeting_out->at + WI_GREETING_PREFIX_BYTES);
}

void wi_proof_encode(const wi_proof *proof, wi_greeting *greeting_out)
{
    Weir__Proof message = WEIR__PROOF__INIT;
    message.mac = (ProtobufCBinaryData){proof->bytes, (uint8_t *)(uintptr_t)proof->mac};
    message.shares = proof->shares;
    set_prefix(greeting_out, WI_GREETING_PROOF, weir__proof__get_packed_size(&message));
    weir__proof__pack(&message, greeting_out->at + WI_GREETING_PREFIX_BYTES);
}

void wi_refusal_encode(wi_verdict code, const char *reason, wi_greeting *greeting_out)
{
    char cut[WI_REASON_BYTES_MAX + 1];
    snprintf(cut, sizeof cut, "%s", reason);
    Weir__Refusal message = WEIR__REFUSAL__INIT;
    message.code = code;
    message.reason = cut;
    set_prefix(greeting_out, WI_GREETING_REFUSAL, weir__refusal__get_packed_size(&message));
    weir__refusal__pack(&message, greeting_out->at + WI_GREETING_PREFIX_BYTES);
}

/* ---- decoding --------------------------------------------------------------------------- */

/* Memory for one decoded message; it is given back with it. */
typedef struct budget {
    size_t used;
    _Alignas(16) unsigned char at[DECODE_BYTES_MAX];
} budget;

static void *budget_take(void *data, size_t bytes)
{
    budget *from = data;
    size_t rounded = (bytes + 15) / 16 * 16;
    if (bytes > sizeof from->at || rounded > sizeof from->at - from->used)
        return NULL;
    void *at = from->at + from->used;
    from->used += rounded;
    return at;
}

static void budget_give(void *data, void *at)
{
    (void)data, (void)at;
}

#define BUDGET(name)                                                                           \
    budget name##_memory = {.used = 0};                                                        \
    ProtobufCAllocator name = {budget_take, budget_give, &name##_memory}

bool wi_greeting_check(const unsigned char prefix[WI_GREETING_PREFIX_BYTES],
                       wi_greeting_type *type_out, uint32_t *bytes_out)
{
    uint32_t bytes = prefix[6] | (uint32_t)prefix[7] << 8;
    if (memcmp(prefix, "weir", 4) != 0 || prefix[5] != LAYOUT ||
        bytes > WI_GREETING_BYTES_MAX - WI_GREETING_PREFIX_BYTES ||
        prefix[4] < WI_GREETING_HELLO || prefix[4] > WI_GREETING_REFUSAL)
        return false;
    *type_out = (wi_greeting_type)prefix[4];
    *bytes_out = bytes;
    return true;
}

/* The protobuf message in a greeting that has this type. */
static const unsigned char *body_of(const wi_greeting *greeting, wi_greeting_type type,
                                    size_t *bytes_out)
{
    wi_greeting_type found;
    uint32_t bytes;
    if (greeting->bytes < WI_GREETING_PREFIX_BYTES || greeting->bytes > sizeof greeting->at ||
        !wi_greeting_check(greeting->at, &found, &bytes) || found != type ||
        bytes != greeting->bytes - WI_GREETING_PREFIX_BYTES)
        return NULL;
    *bytes_out = bytes;
    return greeting->at + WI_GREETING_PREFIX_BYTES;
}

/* Names that reach messages and files: [a-z0-9._-]. */
static bool copy_name(char *to, const char *from, size_t bytes_max)
{
    size_t bytes = strlen(from);
    if (bytes == 0 || bytes > bytes_max ||
        strspn(from, "abcdefghijklmnopqrstuvwxyz0123456789._-") != bytes)
        return false;
    memcpy(to, from, bytes + 1);
    return true;
}

bool wi_hello_decode(const wi_greeting *greeting, wi_hello *hello_out)
{
    size_t bytes;
    const unsigned char *body = body_of(greeting, WI_GREETING_HELLO, &bytes);
    BUDGET(memory);
    Weir__Hello *message = body ? weir__hello__unpack(&memory, bytes, body) : NULL;
    if (!message)
        return false;
    *hello_out = (wi_hello){.protocol = message->protocol,
                            .generation = message->generation,
                            .process = message->process,
                            .processes = message->processes,
                            .workers = message->workers,
                            .lane = message->lane,
                            .keyed = message->keyed,
                            .aes = message->aes,
                            .instance = message->instance,
                            .memory = {message->memory_pid, message->memory_descriptor}};
    bool good = message->byte_order.len == sizeof hello_out->byte_order &&
                message->nonce.len == WI_NONCE_BYTES && message->lane < WI_LANES &&
                copy_name(hello_out->version, message->version, WI_VERSION_BYTES_MAX) &&
                copy_name(hello_out->cluster, message->cluster, WI_CLUSTER_BYTES_MAX);
    if (good) {
        memcpy(&hello_out->byte_order, message->byte_order.data, sizeof hello_out->byte_order);
        memcpy(hello_out->nonce, message->nonce.data, WI_NONCE_BYTES);
    }
    weir__hello__free_unpacked(message, &memory);
    return good;
}

bool wi_proof_decode(const wi_greeting *greeting, wi_proof *proof_out)
{
    size_t bytes;
    const unsigned char *body = body_of(greeting, WI_GREETING_PROOF, &bytes);
    BUDGET(memory);
    Weir__Proof *message = body ? weir__proof__unpack(&memory, bytes, body) : NULL;
    if (!message)
        return false;
    bool good = message->mac.len == 0 || message->mac.len == WI_MAC_BYTES;
    *proof_out = (wi_proof){.bytes = good ? (uint32_t)message->mac.len : 0,
                            .shares = message->shares};
    if (proof_out->bytes)
        memcpy(proof_out->mac, message->mac.data, WI_MAC_BYTES);
    weir__proof__free_unpacked(message, &memory);
    return good;
}

bool wi_refusal_decode(const wi_greeting *greeting, wi_verdict *code_out,
                       char reason_out[WI_REASON_BYTES_MAX + 1])
{
    size_t bytes;
    const unsigned char *body = body_of(greeting, WI_GREETING_REFUSAL, &bytes);
    BUDGET(memory);
    Weir__Refusal *message = body ? weir__refusal__unpack(&memory, bytes, body) : NULL;
    if (!message)
        return false;
    bool good = message->code > WI_VERDICT_FITS && message->code <= WI_VERDICT_GAVE_UP;
    *code_out = good ? (wi_verdict)message->code : WI_VERDICT_MISFIT;
    snprintf(reason_out, WI_REASON_BYTES_MAX + 1, "%s", message->reason);
    for (char *at = reason_out; *at; at++)
        if ((unsigned char)*at < ' ' || (unsigned char)*at > '~')
            *at = '?';
    weir__refusal__free_unpacked(message, &memory);
    return good;
}

/* ---- judging ---------------------------------------------------------------------------- */

/* Who says what, in the order of the processes, so that both sides say the same. */
#define DIFFERS(what, format, field, rule)                                                     \
    snprintf(reason_out, WI_REASON_BYTES_MAX + 1,                                              \
             "process %" PRIu32 " " what " " format ", process %" PRIu32 " " what " " format    \
             "; " rule,                                                                        \
             mine->process, mine->field, theirs->process, theirs->field)

#define ALL_SAME "all processes need the same"

wi_verdict wi_hello_judge(const wi_hello *mine, const wi_hello *theirs,
                          char reason_out[WI_REASON_BYTES_MAX + 1])
{
    reason_out[0] = '\0';
    if (mine->byte_order != theirs->byte_order) {
        DIFFERS("stores 01020304 as", "%08" PRIx32, byte_order,
                "their byte order must be the same");
    } else if (strcmp(mine->cluster, theirs->cluster) != 0) {
        DIFFERS("is of cluster", "`%s`", cluster, ALL_SAME);
        return WI_VERDICT_STRANGER;
    } else if (mine->protocol != theirs->protocol) {
        DIFFERS("speaks protocol", "%" PRIu32, protocol, "run the same weir in all of them");
    } else if (strcmp(mine->version, theirs->version) != 0) {
        DIFFERS("runs weir", "%s", version, "run the same one in all of them");
    } else if (mine->generation != theirs->generation) {
        DIFFERS("is of generation", "%" PRIu64, generation, "the later one goes on");
        return theirs->generation < mine->generation ? WI_VERDICT_LATE : WI_VERDICT_EARLY;
    } else if (mine->processes != theirs->processes) {
        DIFFERS("was told of", "%" PRIu32 " processes", processes, ALL_SAME);
    } else if (mine->workers != theirs->workers) {
        snprintf(reason_out, WI_REASON_BYTES_MAX + 1,
                 "process %" PRIu32 " has %" PRIu32 " worker%s, process %" PRIu32 " has %" PRIu32
                 " worker%s; " ALL_SAME,
                 mine->process, mine->workers, mine->workers == 1 ? "" : "s", theirs->process,
                 theirs->workers, theirs->workers == 1 ? "" : "s");
    } else if (theirs->process >= mine->processes) {
        snprintf(reason_out, WI_REASON_BYTES_MAX + 1,
                 "somebody says that it is process %" PRIu32 " of %" PRIu32
                 ": the last one is %" PRIu32,
                 theirs->process, theirs->processes, mine->processes - 1);
    } else if (mine->process == theirs->process) {
        snprintf(reason_out, WI_REASON_BYTES_MAX + 1,
                 "two processes were started as process %" PRIu32 " of %" PRIu32
                 "; each needs an index of its own",
                 mine->process, mine->processes);
    } else if (mine->keyed != theirs->keyed) {
        snprintf(reason_out, WI_REASON_BYTES_MAX + 1,
                 "process %" PRIu32 " has a shared key, process %" PRIu32
                 " has none; give all of them the same key",
                 mine->keyed ? mine->process : theirs->process,
                 mine->keyed ? theirs->process : mine->process);
    } else {
        return WI_VERDICT_FITS;
    }
    return WI_VERDICT_MISFIT;
}
