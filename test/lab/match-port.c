/*
 * match-port PATH PORT... or match-port PATH ! PORT...: loads a program for xt_bpf that matches packets to these destination
 * ports (TCP and UDP, IPv4 and IPv6 without options), or all others, and pins it at PATH. It stands for the product's
 * decisions in tests of the rules alone.
 */
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INSTRUCTION(op, dst, src, jump, value) ((struct bpf_insn){.code = (op), .dst_reg = (dst), .src_reg = (src), .off = (jump), .imm = (value)})

#define PORTS_LIMIT 8

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  int inverted = argv[2][0] == '!';
  int first = inverted ? 3 : 2;
  int ports = argc - first;
  if (ports > PORTS_LIMIT) return 2;
  /* xt_bpf gives the packet from its network header on. Source: net/netfilter/xt_bpf.c, net/core/filter.c (LD_ABS). */
  struct bpf_insn program[11 + PORTS_LIMIT] = {
      INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0),
      INSTRUCTION(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, 0),
      INSTRUCTION(BPF_ALU64 | BPF_RSH | BPF_K, 0, 0, 0, 4),
      INSTRUCTION(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2, 6),
      INSTRUCTION(BPF_LD | BPF_ABS | BPF_H, 0, 0, 0, 22),
      INSTRUCTION(BPF_JMP | BPF_JA, 0, 0, 1, 0),
      INSTRUCTION(BPF_LD | BPF_ABS | BPF_H, 0, 0, 0, 42),
  };
  int length = 7;
  for (int at = 0; at < ports; at += 1, length += 1)
    program[length] = INSTRUCTION(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, (short)(ports - at - 1 + 2), atoi(argv[first + at]));
  program[length++] = INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, inverted);
  program[length++] = INSTRUCTION(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  program[length++] = INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, !inverted);
  program[length++] = INSTRUCTION(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  union bpf_attr load;
  memset(&load, 0, sizeof load);
  load.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  load.insn_cnt = (uint32_t)length;
  load.insns = (uint64_t)(uintptr_t)program;
  load.license = (uint64_t)(uintptr_t) "GPL";
  long fd = syscall(__NR_bpf, BPF_PROG_LOAD, &load, sizeof load);
  if (fd < 0) {
    perror("BPF_PROG_LOAD");
    return 1;
  }
  union bpf_attr pin;
  memset(&pin, 0, sizeof pin);
  pin.pathname = (uint64_t)(uintptr_t)argv[1];
  pin.bpf_fd = (uint32_t)fd;
  if (syscall(__NR_bpf, BPF_OBJ_PIN, &pin, sizeof pin) < 0) {
    perror("BPF_OBJ_PIN");
    return 1;
  }
  return 0;
}
