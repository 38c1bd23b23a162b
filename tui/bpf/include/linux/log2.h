/* bcc rounds the sizes of per-CPU tables up with this; it has to be a constant expression. */
#define roundup_pow_of_two(n) ((n) < 2 ? 1UL : 1UL << (64 - __builtin_clzl((unsigned long)(n) - 1)))
