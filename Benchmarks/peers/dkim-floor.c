// What the cryptography of one DKIM verification costs, and nothing else: SHA-256 of a file's bytes and one verification
// of a signature over a digest, COUNT times. Prints the microseconds of processor time that each took.
//   dkim-floor FILE rsa|ed25519 COUNT
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int main(int argc, char **argv) {
    if (argc != 4) return 64;
    FILE *file = fopen(argv[1], "rb");
    if (!file) return 66;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(size + 1);
    if (!bytes || fread(bytes, 1, size, file) != (size_t)size) return 74;
    int rsa = !strcmp(argv[2], "rsa");
    long count = atol(argv[3]);
    EVP_PKEY *key = rsa ? EVP_RSA_gen(2048) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    unsigned char digest[32], signature[512];
    size_t length = sizeof signature;
    EVP_MD *sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    EVP_MD_CTX *other = EVP_MD_CTX_new();
    EVP_Digest(bytes, size, digest, NULL, sha256, NULL);
    if (rsa) {
        EVP_PKEY_sign_init(context);
        EVP_PKEY_CTX_set_signature_md(context, sha256);
        if (EVP_PKEY_sign(context, signature, &length, digest, 32) != 1) return 70;
        EVP_PKEY_verify_init(context);
        EVP_PKEY_CTX_set_signature_md(context, sha256);
    } else {
        EVP_DigestSignInit(other, NULL, NULL, NULL, key);
        if (EVP_DigestSign(other, signature, &length, digest, 32) != 1) return 70;
    }
    struct timespec begin, end;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    for (long i = 0; i < count; i++) {
        EVP_DigestInit_ex(hash, sha256, NULL);
        EVP_DigestUpdate(hash, bytes, size);
        EVP_DigestFinal_ex(hash, digest, NULL);
        int good;
        if (rsa) {
            good = EVP_PKEY_verify(context, signature, length, digest, 32);
        } else {
            EVP_MD_CTX_reset(other);
            EVP_DigestVerifyInit(other, NULL, NULL, NULL, key);
            good = EVP_DigestVerify(other, signature, length, digest, 32);
        }
        if (good != 1) return 70;
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    printf("%.3f\n", ((end.tv_sec - begin.tv_sec) * 1e6 + (end.tv_nsec - begin.tv_nsec) / 1e3) / count);
    return 0;
}
