/* Included by bcc; our programs need nothing of it. */
