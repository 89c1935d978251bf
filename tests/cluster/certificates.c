/* Writes what tls.py needs to a folder: two authorities, `ours` and `theirs`, and a certificate of
 * each, `node` and `stranger`. */
#include <stdio.h>

#include "tests/support/certificates.h"

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    test_certificate_make(argv[1], "ours", NULL, false);
    test_certificate_make(argv[1], "theirs", NULL, false);
    test_certificate_make(argv[1], "node", "ours", false);
    test_certificate_make(argv[1], "stranger", "theirs", false);
    return 0;
}
