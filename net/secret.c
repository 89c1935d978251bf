/* The shared key: where it comes from, how it is proved, and what is derived from it. See
 * handshake.h. */
#include "handshake.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>

#include "../base/assert.h"

/* ---- loading ---------------------------------------------------------------------------- */

static weir_err *read_secret(int fd, const char *file, wi_secret *secret)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return weir_err_new("cannot look at the key file %s: %s", file, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return weir_err_new("the key file %s is not a regular file", file);
    if (status.st_mode & 077)
        return weir_err_new("the key file %s has mode %04o, so others can read it or change it: "
                            "chmod 600 %s (and take a new key if others may have read it)",
                            file, (unsigned)status.st_mode & 07777, file);
    while (secret->bytes < sizeof secret->at) {
        ssize_t came = read(fd, secret->at + secret->bytes, sizeof secret->at - secret->bytes);
        if (came < 0 && errno == EINTR)
            continue;
        if (came < 0)
            return weir_err_new("cannot read the key file %s: %s", file, strerror(errno));
        if (came == 0)
            return NULL;
        secret->bytes += (uint32_t)came;
    }
    return weir_err_new("the key file %s is too long: a key has less than %d bytes", file,
                        WI_SECRET_BYTES_MAX);
}

static weir_err *copy_secret(const char *text, wi_secret *secret)
{
    size_t bytes = strlen(text);
    if (bytes >= sizeof secret->at)
        return weir_err_new("the key is too long: it has %zu bytes, less than %d are possible",
                            bytes, WI_SECRET_BYTES_MAX);
    memcpy(secret->at, text, bytes);
    secret->bytes = (uint32_t)bytes;
    return NULL;
}

weir_err *wi_secret_load(const char *file, const char *text, wi_secret *secret_out)
{
    secret_out->bytes = 0;
    weir_err *err = NULL;
    if (file) {
        int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
            return weir_err_new("cannot open the key file %s: %s", file, strerror(errno));
        err = read_secret(fd, file, secret_out);
        close(fd);
    } else if (text) {
        err = copy_secret(text, secret_out);
    } else {
        return NULL;
    }
    while (secret_out->bytes && strchr(" \t\r\n", secret_out->at[secret_out->bytes - 1]))
        secret_out->bytes--;
    if (!err && secret_out->bytes < WI_SECRET_BYTES_MIN)
        err = weir_err_new("the shared key%s%s has %u bytes, at least %d are needed: make one "
                           "with `head -c 32 /dev/urandom | base64`",
                           file ? " in " : "", file ? file : "", secret_out->bytes,
                           WI_SECRET_BYTES_MIN);
    if (err)
        wi_secret_clear(secret_out);
    return err;
}

void wi_secret_clear(wi_secret *secret)
{
    mbedtls_platform_zeroize(secret, sizeof *secret);
}

/* ---- proving and deriving --------------------------------------------------------------- */

static const mbedtls_md_info_t *sha256(void)
{
    const mbedtls_md_info_t *info = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    wi_assert(info, "mbedTLS has SHA-256");
    return info;
}

/* HMAC over a label, a direction and both hellos, each of which has its length inside. */
static void mac_of(const wi_transcript *transcript, const char *label, bool by_dialler,
                   unsigned char mac_out[WI_MAC_BYTES])
{
    const wi_greeting *dialled = &transcript->dialled, *accepted = &transcript->accepted;
    unsigned char direction = by_dialler ? 'D' : 'A';
    mbedtls_md_context_t md;
    mbedtls_md_init(&md);
    int failed = mbedtls_md_setup(&md, sha256(), 1);
    failed |= mbedtls_md_hmac_starts(&md, transcript->secret->at, transcript->secret->bytes);
    failed |= mbedtls_md_hmac_update(&md, (const unsigned char *)label, strlen(label) + 1);
    failed |= mbedtls_md_hmac_update(&md, &direction, 1);
    failed |= mbedtls_md_hmac_update(&md, dialled->at, dialled->bytes);
    failed |= mbedtls_md_hmac_update(&md, accepted->at, accepted->bytes);
    failed |= mbedtls_md_hmac_finish(&md, mac_out);
    mbedtls_md_free(&md);
    wi_assert(!failed, "an HMAC can be computed of anything");
}

void wi_transcript_mac(const wi_transcript *transcript, bool by_dialler,
                       unsigned char mac_out[WI_MAC_BYTES])
{
    mac_of(transcript, "weir handshake 1", by_dialler, mac_out);
}

bool wi_transcript_verify(const wi_transcript *transcript, bool by_dialler,
                          const unsigned char mac[WI_MAC_BYTES])
{
    unsigned char right[WI_MAC_BYTES], differs = 0;
    wi_transcript_mac(transcript, by_dialler, right);
    for (int i = 0; i < WI_MAC_BYTES; i++)
        differs |= (unsigned char)(right[i] ^ mac[i]);
    mbedtls_platform_zeroize(right, sizeof right);
    return differs == 0;
}

wi_seal *wi_transcript_seal(const wi_transcript *transcript, bool by_dialler, wi_cipher cipher)
{
    /* The lane is within the hellos, so each link has keys of its own. */
    unsigned char salt[WI_MAC_BYTES], key[WI_SEAL_KEY_BYTES + WI_SEAL_SALT_BYTES];
    static const unsigned char info[] = "weir frames 1";
    mac_of(transcript, "weir frames 1", by_dialler, salt);
    int failed = mbedtls_hkdf(sha256(), salt, sizeof salt, transcript->secret->at,
                              transcript->secret->bytes, info, sizeof info, key, sizeof key);
    wi_assert(!failed, "HKDF derives a few bytes from anything");
    wi_seal *seal = wi_seal_new(cipher, key, key + WI_SEAL_KEY_BYTES);
    mbedtls_platform_zeroize(salt, sizeof salt);
    mbedtls_platform_zeroize(key, sizeof key);
    return seal;
}
