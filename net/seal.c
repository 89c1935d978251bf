/* Sealing with mbedTLS's ciphers. See seal.h. */
#include "seal.h"

#include <string.h>

#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>
#include <mbedtls/platform_util.h>
#if defined(__x86_64__)
#include <mbedtls/aesni.h>
#endif

#include "../base/alloc.h"
#include "../base/assert.h"

#define NONCE_BYTES 12

struct wi_seal {
    wi_cipher cipher;
    unsigned char salt[WI_SEAL_SALT_BYTES];
    union {
        mbedtls_gcm_context aes;
        mbedtls_chachapoly_context chacha;
    };
};

bool wi_seal_has_aes(void)
{
#if defined(MBEDTLS_AESNI_C) && defined(MBEDTLS_HAVE_X86_64)
    return mbedtls_aesni_has_support(MBEDTLS_AESNI_AES) &&
           mbedtls_aesni_has_support(MBEDTLS_AESNI_CLMUL);
#else
    return false;
#endif
}

wi_seal *wi_seal_new(wi_cipher cipher, const unsigned char key[WI_SEAL_KEY_BYTES],
                     const unsigned char salt[WI_SEAL_SALT_BYTES])
{
    wi_seal *seal = WI_NEW(wi_seal);
    seal->cipher = cipher;
    memcpy(seal->salt, salt, sizeof seal->salt);
    int failed;
    if (cipher == WI_CIPHER_AES) {
        mbedtls_gcm_init(&seal->aes);
        failed = mbedtls_gcm_setkey(&seal->aes, MBEDTLS_CIPHER_ID_AES, key, 256);
    } else {
        mbedtls_chachapoly_init(&seal->chacha);
        failed = mbedtls_chachapoly_setkey(&seal->chacha, key);
    }
    wi_assert(!failed, "a cipher takes any key of its size");
    return seal;
}

void wi_seal_free(wi_seal *seal)
{
    if (!seal)
        return;
    if (seal->cipher == WI_CIPHER_AES)
        mbedtls_gcm_free(&seal->aes);
    else
        mbedtls_chachapoly_free(&seal->chacha);
    mbedtls_platform_zeroize(seal, sizeof *seal);
    wi_free(seal);
}

static void make_nonce(const wi_seal *seal, const wi_frame_header *header,
                       unsigned char nonce[NONCE_BYTES])
{
    memcpy(nonce, seal->salt, WI_SEAL_SALT_BYTES);
    memcpy(nonce + WI_SEAL_SALT_BYTES, &header->sequence, sizeof header->sequence);
}

void wi_seal_close(wi_seal *seal, wi_frame_header *header, void *payload)
{
    unsigned char nonce[NONCE_BYTES];
    make_nonce(seal, header, nonce);
    const unsigned char *known = (const unsigned char *)header;
    int failed;
    if (seal->cipher == WI_CIPHER_AES)
        failed = mbedtls_gcm_crypt_and_tag(&seal->aes, MBEDTLS_GCM_ENCRYPT, header->bytes, nonce,
                                           sizeof nonce, known, WI_FRAME_SEALED_BYTES, payload,
                                           payload, sizeof header->check, header->check);
    else
        failed = mbedtls_chachapoly_encrypt_and_tag(&seal->chacha, header->bytes, nonce, known,
                                                    WI_FRAME_SEALED_BYTES, payload, payload,
                                                    header->check);
    wi_assert(!failed, "a cipher takes any payload of a frame");
}

bool wi_seal_open(wi_seal *seal, const wi_frame_header *header, void *payload)
{
    unsigned char nonce[NONCE_BYTES];
    make_nonce(seal, header, nonce);
    const unsigned char *known = (const unsigned char *)header;
    if (seal->cipher == WI_CIPHER_AES)
        return mbedtls_gcm_auth_decrypt(&seal->aes, header->bytes, nonce, sizeof nonce, known,
                                        WI_FRAME_SEALED_BYTES, header->check,
                                        sizeof header->check, payload, payload) == 0;
    return mbedtls_chachapoly_auth_decrypt(&seal->chacha, header->bytes, nonce, known,
                                           WI_FRAME_SEALED_BYTES, header->check, payload,
                                           payload) == 0;
}
