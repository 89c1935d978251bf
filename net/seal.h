/* Sealed frames: when the processes share a key, payloads travel encrypted and headers
 * authenticated, by AES-256-GCM where both machines have AES instructions, otherwise by
 * ChaCha20-Poly1305. A link has a seal for each direction, with a key of its own (handshake.h),
 * and the sequence number of the frame is the nonce: no pair of them is ever used twice.
 *
 *   operation   thread
 *   close       any, one at a time for a seal
 *   open        any, one at a time for a seal */
#ifndef WEIR_NET_SEAL_H
#define WEIR_NET_SEAL_H

#include "frame.h"

#define WI_SEAL_KEY_BYTES 32
#define WI_SEAL_SALT_BYTES 4

typedef enum wi_cipher { WI_CIPHER_CHACHA, WI_CIPHER_AES } wi_cipher;

typedef struct wi_seal wi_seal;

/* any. Whether this machine has instructions for AES-GCM. */
bool wi_seal_has_aes(void);
/* any. `salt` is the part of the nonce that stays. */
wi_seal *wi_seal_new(wi_cipher cipher, const unsigned char key[WI_SEAL_KEY_BYTES],
                     const unsigned char salt[WI_SEAL_SALT_BYTES]);
/* any. Forgets the key. NULL does nothing. */
void wi_seal_free(wi_seal *seal);

/* Encrypts the payload where it is and puts the tag into the header's `check`. */
void wi_seal_close(wi_seal *seal, wi_frame_header *header, void *payload);
/* Decrypts the payload where it is. False: it was not sealed so by the other side. */
bool wi_seal_open(wi_seal *seal, const wi_frame_header *header, void *payload);

#endif
