/* Fuzzes the decoders of the handshake: each greeting in the input is decoded as what it says
 * it is, judged, and encoded again. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "net/handshake.h"

static void decode_hello(const wi_greeting *greeting)
{
    wi_hello mine = {.protocol = WI_PROTOCOL,
                     .byte_order = 0x01020304,
                     .version = WEIR_VERSION,
                     .cluster = "test",
                     .generation = 7,
                     .processes = 2,
                     .workers = 2};
    wi_hello theirs;
    char reason[WI_REASON_BYTES_MAX + 1];
    if (!wi_hello_decode(greeting, &theirs))
        return;
    wi_greeting again;
    wi_hello same;
    wi_hello_encode(&theirs, &again);
    if (!wi_hello_decode(&again, &same) || same.instance != theirs.instance ||
        strcmp(same.cluster, theirs.cluster) != 0 || same.process != theirs.process)
        abort();
    wi_verdict verdict = wi_hello_judge(&mine, &theirs, reason);
    if (verdict != WI_VERDICT_FITS) {
        wi_verdict code;
        char back[WI_REASON_BYTES_MAX + 1];
        wi_refusal_encode(verdict, reason, &again);
        if (!wi_refusal_decode(&again, &code, back) || code != verdict ||
            strcmp(back, reason) != 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    wi_greeting greeting;
    wi_greeting_type type;
    uint32_t body;
    if (count < WI_GREETING_PREFIX_BYTES || !wi_greeting_check(bytes, &type, &body))
        return 0;
    if (body > sizeof greeting.at - WI_GREETING_PREFIX_BYTES)
        abort();
    greeting.bytes = (uint32_t)(count < sizeof greeting.at ? count : sizeof greeting.at);
    if (greeting.bytes > WI_GREETING_PREFIX_BYTES + body)
        greeting.bytes = WI_GREETING_PREFIX_BYTES + body;
    memcpy(greeting.at, bytes, greeting.bytes);
    wi_proof proof;
    wi_verdict verdict;
    char reason[WI_REASON_BYTES_MAX + 1];
    decode_hello(&greeting);
    wi_proof_decode(&greeting, &proof);
    wi_refusal_decode(&greeting, &verdict, reason);
    return 0;
}

size_t fuzz_valid_input(uint64_t seed, uint8_t *bytes_out, size_t bytes_max)
{
    wi_greeting greeting;
    wi_hello hello = {.protocol = 1,
                      .byte_order = 0x01020304,
                      .version = WEIR_VERSION,
                      .cluster = "test",
                      .generation = 7 + (seed >> 8) % 2,
                      .process = (uint32_t)(seed >> 16) % 3,
                      .processes = 2,
                      .workers = 2,
                      .keyed = seed >> 20 & 1,
                      .instance = seed,
                      .memory = {(uint32_t)(seed >> 21) % 2, (uint32_t)(seed >> 22)}};
    switch (seed % 4) {
    case 0:
        wi_proof_encode(&(wi_proof){.bytes = seed >> 8 & 1 ? WI_MAC_BYTES : 0,
                                    .shares = seed >> 9 & 1},
                        &greeting);
        break;
    case 1:
        wi_refusal_encode(WI_VERDICT_MISFIT, "process 0 has 2 workers", &greeting);
        break;
    default:
        wi_hello_encode(&hello, &greeting);
    }
    if (greeting.bytes > bytes_max)
        return 0;
    memcpy(bytes_out, greeting.at, greeting.bytes);
    return greeting.bytes;
}
