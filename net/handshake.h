/* Who is at the other end, and may it be? Messages of the handshake, and how they are judged.
 * No I/O here: opening.c carries them.
 *
 * A message is a prefix of 8 bytes ("weir", type, layout, length) and a protobuf message of
 * proto/handshake.proto. All that somebody who has not proved anything may send is
 * WI_GREETING_BYTES_MAX bytes; the length is checked before anything is decoded, and decoding
 * gets its memory from a small budget.
 *
 * With a shared key each side proves that it has it by HMAC-SHA256 over both hellos as they
 * were sent (with both nonces) and the direction; keys for sealing are derived from the same
 * by HKDF, one for each direction of each link. There is no forward secrecy: who learns the
 * key can read what was recorded. For that, use TLS. */
#ifndef WEIR_NET_HANDSHAKE_H
#define WEIR_NET_HANDSHAKE_H

#include "ring.h"
#include "seal.h"

#define WI_PROTOCOL 1
#define WI_GREETING_BYTES_MAX 256
#define WI_GREETING_PREFIX_BYTES 8
#define WI_CLUSTER_BYTES_MAX 64
#define WI_VERSION_BYTES_MAX 16
#define WI_REASON_BYTES_MAX 240
#define WI_NONCE_BYTES 32
#define WI_MAC_BYTES 32
#define WI_SECRET_BYTES_MAX 1024
#define WI_SECRET_BYTES_MIN 16

typedef enum wi_greeting_type {
    WI_GREETING_HELLO = 1,
    WI_GREETING_PROOF,
    WI_GREETING_REFUSAL
} wi_greeting_type;

/* A message as it travels. */
typedef struct wi_greeting {
    uint32_t bytes; /* with the prefix */
    unsigned char at[WI_GREETING_BYTES_MAX];
} wi_greeting;

typedef struct wi_hello {
    uint32_t protocol;
    uint32_t byte_order; /* as its sender stored it: 0x01020304 if that is like here */
    char version[WI_VERSION_BYTES_MAX + 1];
    char cluster[WI_CLUSTER_BYTES_MAX + 1];
    uint64_t generation;
    uint32_t process, processes, workers, lane;
    bool keyed, aes;
    uint64_t instance;
    unsigned char nonce[WI_NONCE_BYTES];
    wi_ring_place memory; /* that is offered, with the nonce as its tag */
} wi_hello;

typedef struct wi_proof {
    uint32_t bytes; /* 0: no key; otherwise WI_MAC_BYTES */
    unsigned char mac[WI_MAC_BYTES];
    bool shares; /* the memory that was offered is taken */
} wi_proof;

/* What is to be done about a hello. */
typedef enum wi_verdict {
    WI_VERDICT_FITS,
    WI_VERDICT_STRANGER, /* nothing of ours; it is refused, and we go on */
    WI_VERDICT_LATE,     /* of a generation before ours: refused, and we go on */
    WI_VERDICT_EARLY,    /* of a generation after ours: we are what is left of an old one */
    WI_VERDICT_MISFIT,   /* of this cluster, and can never fit */
    WI_VERDICT_GAVE_UP   /* it fits, but the mesh cannot be opened */
} wi_verdict;

/* any. Fills in what is the same everywhere, and draws a nonce. */
weir_err *wi_hello_init(wi_hello *hello);
void wi_hello_encode(const wi_hello *hello, wi_greeting *greeting_out);
void wi_proof_encode(const wi_proof *proof, wi_greeting *greeting_out);
/* Longer reasons are cut. */
void wi_refusal_encode(wi_verdict code, const char *reason, wi_greeting *greeting_out);

/* any. What the prefix announces: how many bytes follow it. False: this is no greeting. */
bool wi_greeting_check(const unsigned char prefix[WI_GREETING_PREFIX_BYTES],
                       wi_greeting_type *type_out, uint32_t *bytes_out);
/* any. Of a whole greeting of that type. False: garbled. */
bool wi_hello_decode(const wi_greeting *greeting, wi_hello *hello_out);
bool wi_proof_decode(const wi_greeting *greeting, wi_proof *proof_out);
/* The reason is made printable. */
bool wi_refusal_decode(const wi_greeting *greeting, wi_verdict *code_out,
                       char reason_out[WI_REASON_BYTES_MAX + 1]);

/* any. Judges what the other side said; `reason` names both values, in words that read well
 * on both sides. */
wi_verdict wi_hello_judge(const wi_hello *mine, const wi_hello *theirs,
                          char reason_out[WI_REASON_BYTES_MAX + 1]);

/* ---- keys ------------------------------------------------------------------------------- */

/* The shared key. */
typedef struct wi_secret {
    uint32_t bytes; /* 0: none */
    unsigned char at[WI_SECRET_BYTES_MAX];
} wi_secret;

/* any. From the file (mode 0600 or less), else from the text; neither: no key. Spaces and
 * newlines at the end do not count. */
weir_err *wi_secret_load(const char *file, const char *text, wi_secret *secret_out);
/* any. Forgets it. */
void wi_secret_clear(wi_secret *secret);

/* Both hellos of a link, as they were sent. */
typedef struct wi_transcript {
    const wi_secret *secret;
    wi_greeting dialled, accepted; /* the hello of who dialled, of who accepted */
} wi_transcript;

/* any. What the one who dialled (or accepted) sends to prove that it knows the secret. */
void wi_transcript_mac(const wi_transcript *transcript, bool by_dialler,
                       unsigned char mac_out[WI_MAC_BYTES]);
/* any. Compares in constant time. */
bool wi_transcript_verify(const wi_transcript *transcript, bool by_dialler,
                          const unsigned char mac[WI_MAC_BYTES]);
/* any. The seal for what the one who dialled (or accepted) sends. */
wi_seal *wi_transcript_seal(const wi_transcript *transcript, bool by_dialler, wi_cipher cipher);

#endif
