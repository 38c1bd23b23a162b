/* bcc's proto.h includes it and needs nothing of it. */
