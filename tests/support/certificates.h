/* Authorities and certificates for tests of TLS, made when they run; no program is needed. */
#ifndef WEIR_TESTS_SUPPORT_CERTIFICATES_H
#define WEIR_TESTS_SUPPORT_CERTIFICATES_H

#include <stdbool.h>

/* Writes FOLDER/NAME.pem and FOLDER/NAME.key (mode 0600), valid from 2020 to 2099, or until 2021
 * if it has expired. Signed by the authority of that name in the folder; NULL: it is one. */
void test_certificate_make(const char *folder, const char *name, const char *authority,
                           bool expired);

#endif
