/* Sends one frame so many times from an interface, as fast as it takes them: sender INTERFACE NUMBER FRAME-IN-HEX

   Prints what it did: {"sent": the number, "again": how often a full queue refused one, which was then sent anew,
   "ns": how long that took}. What was refused has passed the egress hooks of this interface, but not the peer's. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define LARGEST 65536

static unsigned char frame[LARGEST];

static size_t read_hex(const char *text) {
  size_t size = 0;
  unsigned int byte;
  while (size < LARGEST && sscanf(text + 2 * size, "%2x", &byte) == 1) frame[size++] = byte;
  return size;
}

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int count, char **words) {
  if (count != 4) return 2;
  struct sockaddr_ll where = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(words[1])};
  long number = atol(words[2]), sent = 0, again = 0;
  struct iovec data = {frame, read_hex(words[3])};
  struct mmsghdr batch[BATCH];
  memset(batch, 0, sizeof batch);
  for (int i = 0; i < BATCH; i++) batch[i].msg_hdr = (struct msghdr){.msg_iov = &data, .msg_iovlen = 1};
  int out = socket(AF_PACKET, SOCK_RAW, 0);
  if (out < 0 || bind(out, (struct sockaddr *)&where, sizeof where) < 0) {
    perror(words[1]);
    return 1;
  }
  long long began = now();
  while (sent < number) {
    long left = number - sent;
    int done = sendmmsg(out, batch, left < BATCH ? left : BATCH, 0);
    if (done >= 0) {
      sent += done;
      if (done == BATCH || sent == number) continue;
      again++; /* the one that ended the batch was refused; the kernel tells why only of a first one */
    } else if (errno == ENOBUFS) {
      again++;
    } else {
      perror("sendmmsg");
      return 1;
    }
    sched_yield();
  }
  printf("{\"sent\": %ld, \"again\": %ld, \"ns\": %lld}\n", sent, again, now() - began);
  return 0;
}
