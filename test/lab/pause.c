/* All that a container of a test does: it waits, and ends when it is told to, also as the first process of its namespace. */
#include <signal.h>
#include <unistd.h>

static void end(int number)
{
	_exit(128 + number);
}

int main(void)
{
	struct sigaction action = { .sa_handler = end };

	sigaction(SIGTERM, &action, NULL);
	for (;;)
		pause();
}
