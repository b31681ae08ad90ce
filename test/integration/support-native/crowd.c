/*
 * Takes every place that a control group has for programs on packets that leave, with programs that let all of them pass; says
 * how many, and gives them back when its standard input ends: crowd FOLDER.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <unistd.h>

/* More than the kernel gives. Source: include/uapi/linux/bpf.h, kernel/bpf/cgroup.c BPF_CGROUP_MAX_PROGS. */
#define MOST 100

/* mov r0, 1; exit. */
static const struct bpf_insn pass[] = {
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
	{.code = BPF_JMP | BPF_EXIT},
};

int main(int count, char **words)
{
	int group = count == 2 ? open(words[1], O_RDONLY | O_DIRECTORY) : -1, programs[MOST], many = 0;
	char end;

	if (group < 0)
		return 2;
	for (; many < MOST; many++) {
		programs[many] = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "crowd", "GPL", pass, sizeof(pass) / sizeof(*pass), NULL);
		if (programs[many] < 0)
			return 3;
		if (bpf_prog_attach(programs[many], group, BPF_CGROUP_INET_EGRESS, BPF_F_ALLOW_MULTI))
			break;
	}
	printf("%d\n", many);
	fflush(stdout);
	while (read(0, &end, 1) > 0)
		;
	while (many-- > 0)
		bpf_prog_detach2(programs[many], group, BPF_CGROUP_INET_EGRESS);
	return 0;
}
