/* What BPF_RINGBUF_OUTPUT of bcc multiplies by; how large the buffer really is, the loader says. */
#define PAGE_SIZE 4096
