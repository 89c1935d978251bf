/* Certificates for tests. See certificates.h. */
#include "certificates.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

/* Also outside of tests of libcheck. */
static void must(bool done, const char *what)
{
    if (done)
        return;
    fprintf(stderr, "certificates for tests: %s\n", what);
    abort();
}

typedef struct maker {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_pk_context key, signer;
    mbedtls_x509write_cert cert;
    mbedtls_mpi serial;
} maker;

static void path_of(char *path, size_t bytes, const char *folder, const char *name, const char *end)
{
    must(snprintf(path, bytes, "%s/%s%s", folder, name, end) < (int)bytes, "a path is too long");
}

static void write_file(const char *folder, const char *name, const char *end, const char *text)
{
    char path[512];
    path_of(path, sizeof path, folder, name, end);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    must(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text), path);
    close(file);
}

static void make_key(maker *at, const char *folder, const char *name)
{
    char text[4096];
    must(!mbedtls_pk_setup(&at->key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) &&
             !mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(at->key),
                                  mbedtls_ctr_drbg_random, &at->random) &&
             !mbedtls_pk_write_key_pem(&at->key, (unsigned char *)text, sizeof text),
         "no key");
    write_file(folder, name, ".key", text);
}

static void sign(maker *at, const char *folder, const char *name, const char *authority,
                 bool expired)
{
    char subject[128], issuer[128], path[512], text[4096];
    snprintf(subject, sizeof subject, "CN=%s", name);
    snprintf(issuer, sizeof issuer, "CN=%s", authority ? authority : name);
    path_of(path, sizeof path, folder, authority ? authority : name, ".key");
    must(!mbedtls_pk_parse_keyfile(&at->signer, path, NULL), path);
    mbedtls_x509write_crt_set_version(&at->cert, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&at->cert, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&at->cert, &at->key);
    mbedtls_x509write_crt_set_issuer_key(&at->cert, &at->signer);
    must(!mbedtls_x509write_crt_set_subject_name(&at->cert, subject), subject);
    must(!mbedtls_x509write_crt_set_issuer_name(&at->cert, issuer), issuer);
    mbedtls_mpi_lset(&at->serial, 1);
    mbedtls_x509write_crt_set_serial(&at->cert, &at->serial);
    mbedtls_x509write_crt_set_validity(&at->cert, "20200101000000",
                                       expired ? "20210101000000" : "20991231235959");
    mbedtls_x509write_crt_set_basic_constraints(&at->cert, !authority, -1);
    must(!mbedtls_x509write_crt_pem(&at->cert, (unsigned char *)text, sizeof text,
                                    mbedtls_ctr_drbg_random, &at->random),
         "no certificate");
    write_file(folder, name, ".pem", text);
}

void test_certificate_make(const char *folder, const char *name, const char *authority,
                           bool expired)
{
    maker at;
    mbedtls_entropy_init(&at.entropy);
    mbedtls_ctr_drbg_init(&at.random);
    mbedtls_pk_init(&at.key);
    mbedtls_pk_init(&at.signer);
    mbedtls_x509write_crt_init(&at.cert);
    mbedtls_mpi_init(&at.serial);
    must(!mbedtls_ctr_drbg_seed(&at.random, mbedtls_entropy_func, &at.entropy, NULL, 0),
         "no random numbers");
    make_key(&at, folder, name);
    sign(&at, folder, name, authority, expired);
    mbedtls_mpi_free(&at.serial);
    mbedtls_x509write_crt_free(&at.cert);
    mbedtls_pk_free(&at.signer);
    mbedtls_pk_free(&at.key);
    mbedtls_ctr_drbg_free(&at.random);
    mbedtls_entropy_free(&at.entropy);
}
