/* Certificates for nng's TLS. Both sides show one and verify the other's against the authority:
 * whoever has a certificate that is signed by it belongs to the cluster, so it should sign
 * nothing else; names in certificates are not compared with hosts. The files are read and
 * checked here, since nng would only say that something is wrong with one of them, or, if key
 * and certificate do not belong together, nothing until a handshake fails. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/x509_crt.h>

#include "../base/alloc.h"
#include "nng_link.h"

#define FILE_BYTES_MAX ((off_t)1 << 20)

typedef struct pem_file {
    char *text;   /* NULL: not read */
    size_t bytes; /* with the zero at its end */
} pem_file;

static void pem_fini(pem_file *pem)
{
    if (pem->text)
        mbedtls_platform_zeroize(pem->text, pem->bytes);
    wi_free(pem->text);
}

static weir_err *read_open(int file, const char *path, const char *what, bool secret,
                           pem_file *pem_out)
{
    struct stat status;
    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > FILE_BYTES_MAX)
        return weir_err_new("the %s %s is no file of at most 1 MB: give one in PEM format", what,
                            path);
    if (secret && (status.st_mode & 077))
        return weir_err_new("the %s %s can be read by others: chmod 600 it", what, path);
    pem_out->bytes = (size_t)status.st_size + 1;
    pem_out->text = wi_calloc(1, pem_out->bytes);
    size_t count = 0;
    for (ssize_t got; count < (size_t)status.st_size; count += (size_t)got) {
        got = read(file, pem_out->text + count, (size_t)status.st_size - count);
        if (got <= 0)
            return weir_err_new("the %s %s cannot be read: %s", what, path,
                                got ? strerror(errno) : "it became shorter");
    }
    return NULL;
}

static weir_err *read_pem(const char *path, const char *what, bool secret, pem_file *pem_out)
{
    if (!path)
        return weir_err_new("TLS needs a %s: give a file in PEM format", what);
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return weir_err_new("the %s %s cannot be opened: %s", what, path, strerror(errno));
    weir_err *err = read_open(file, path, what, secret, pem_out);
    close(file);
    return err;
}

static weir_err *parse_certificates(const char *path, const char *what, const pem_file *pem,
                                    mbedtls_x509_crt *parsed)
{
    if (mbedtls_x509_crt_parse(parsed, (const unsigned char *)pem->text, pem->bytes) != 0)
        return weir_err_new("the %s %s holds something else than certificates in PEM format "
                            "(-----BEGIN CERTIFICATE-----)", what, path);
    return NULL;
}

static weir_err *check_own(const wi_tls *tls, mbedtls_x509_crt *own, mbedtls_x509_crt *authority,
                           const pem_file *key_text)
{
    mbedtls_pk_context key;
    weir_err *err = NULL;
    uint32_t flags = 0;
    mbedtls_pk_init(&key);
    if (mbedtls_pk_parse_key(&key, (const unsigned char *)key_text->text, key_text->bytes, NULL,
                             0) != 0)
        err = weir_err_new("the key %s holds no private key in PEM format without a passphrase",
                           tls->key);
    else if (mbedtls_pk_check_pair(&own->pk, &key) != 0)
        err = weir_err_new("the key %s does not belong to the certificate %s", tls->key,
                           tls->certificate);
    else if (mbedtls_x509_time_is_past(&own->valid_to))
        err = weir_err_new("the certificate %s has expired: have a new one signed",
                           tls->certificate);
    else if (mbedtls_x509_crt_verify(own, authority, NULL, NULL, &flags, NULL, NULL) != 0)
        err = weir_err_new("the certificate %s is not good for the authority %s (was it signed by "
                           "it, and for now?): no peer would accept it", tls->certificate,
                           tls->authority);
    mbedtls_pk_free(&key);
    return err;
}

static weir_err *check(const wi_tls *tls, const pem_file *certificate, const pem_file *key,
                       const pem_file *authority)
{
    mbedtls_x509_crt own, signers;
    mbedtls_x509_crt_init(&own);
    mbedtls_x509_crt_init(&signers);
    weir_err *err = parse_certificates(tls->certificate, "certificate", certificate, &own);
    if (!err)
        err = parse_certificates(tls->authority, "authority", authority, &signers);
    if (!err)
        err = check_own(tls, &own, &signers, key);
    mbedtls_x509_crt_free(&own);
    mbedtls_x509_crt_free(&signers);
    return err;
}

static weir_err *configure(const wi_tls *tls, nng_tls_mode mode, const pem_file *certificate,
                           const pem_file *key, const pem_file *authority,
                           nng_tls_config **config_out)
{
    nng_tls_config *config;
    int error = nng_tls_config_alloc(&config, mode);
    if (error)
        return weir_err_new("TLS cannot be used: %s", nng_strerror(error));
    error = nng_tls_config_own_cert(config, certificate->text, key->text, NULL);
    if (!error)
        error = nng_tls_config_ca_chain(config, authority->text, NULL);
    if (!error)
        error = nng_tls_config_auth_mode(config, NNG_TLS_AUTH_MODE_REQUIRED);
    if (error) {
        nng_tls_config_free(config);
        return weir_err_new("TLS cannot be used with %s, %s and %s: %s", tls->certificate, tls->key,
                            tls->authority, nng_strerror(error));
    }
    *config_out = config;
    return NULL;
}

weir_err *wi_nng_tls_config(const wi_tls *tls, nng_tls_mode mode, nng_tls_config **config_out)
{
    pem_file certificate = {0}, key = {0}, authority = {0};
    weir_err *err = read_pem(tls->certificate, "certificate", false, &certificate);
    if (!err)
        err = read_pem(tls->key, "key", true, &key);
    if (!err)
        err = read_pem(tls->authority, "authority", false, &authority);
    if (!err)
        err = check(tls, &certificate, &key, &authority);
    if (!err)
        err = configure(tls, mode, &certificate, &key, &authority, config_out);
    pem_fini(&certificate);
    pem_fini(&key);
    pem_fini(&authority);
    return err;
}
