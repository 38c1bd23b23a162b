/* bcc carries a copy of the kernel's bpf.h; use that one. */
#include <bcc/bpf.h>
