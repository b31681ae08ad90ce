// SPDX-License-Identifier: GPL-3.0-or-later
// The baseline: the smallest program that accepts every packet of one queue, one system call in and one out for each.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/socket.h>
#include <libnetfilter_queue/libnetfilter_queue.h>

#define RECEIVE_BYTES 65536
#define COPY_BYTES 128
#define QUEUE_LENGTH 16384

static int accept_packet(struct nfq_q_handle *queue, struct nfgenmsg *message, struct nfq_data *data, void *context) {
  (void)message;
  (void)context;
  const struct nfqnl_msg_packet_hdr *header = nfq_get_msg_packet_hdr(data);
  if (header == NULL) return 0;
  return nfq_set_verdict(queue, ntohl(header->packet_id), NF_ACCEPT, 0, NULL);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: c-loop QUEUE\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct nfq_handle *handle = nfq_open();
  if (handle == NULL) {
    perror("nfq_open");
    return 1;
  }
  struct nfq_q_handle *queue = nfq_create_queue(handle, (uint16_t)atoi(argv[1]), accept_packet, NULL);
  if (queue == NULL || nfq_set_mode(queue, NFQNL_COPY_PACKET, COPY_BYTES) < 0 ||
      nfq_set_queue_maxlen(queue, QUEUE_LENGTH) < 0) {
    perror("nfq_create_queue");
    return 1;
  }
  printf("ready\n");
  fflush(stdout);
  static char buffer[RECEIVE_BYTES] __attribute__((aligned));
  for (;;) {
    ssize_t length = recv(nfq_fd(handle), buffer, sizeof buffer, 0);
    if (length >= 0) nfq_handle_packet(handle, buffer, (int)length);
    else if (errno != EINTR && errno != ENOBUFS) {
      perror("recv");
      return 1;
    }
  }
}
