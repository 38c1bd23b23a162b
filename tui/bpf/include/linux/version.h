/* bcc picks helper signatures by version; what we use has been the same since 5.15. */
#define KERNEL_VERSION(major, minor, patch) (((major) << 16) + ((minor) << 8) + (patch))
#define LINUX_VERSION_CODE KERNEL_VERSION(6, 6, 0)
