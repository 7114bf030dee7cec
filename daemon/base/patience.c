#include "daemon/base/patience.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/clock.h"

#define MOMENT_US 100000

/*
 * False: for so long it neither ended nor moved. Its end closes the pipe, of
 * which it has the other end alone.
 */
static bool wait_for_end(int pipe, uint64_t wait_us, const atomic_uint *moves)
{
	struct pollfd ended = {.fd = pipe, .events = POLLIN};
	uint64_t slice_us = moves ? wait_us / 10 : wait_us, still_us = 0;
	unsigned int before, now = moves ? atomic_load(moves) : 0;
	int n = 0;

	while (!n && still_us < wait_us) {
		before = now;
		n = TEMP_FAILURE_RETRY(poll(&ended, 1, (int)(slice_us / 1000)));
		now = moves ? atomic_load(moves) : 0;
		still_us = now == before ? still_us + slice_us : 0;
	}
	return n != 0;
}

/* Whoever reads what is said here to its end is not to wait for who hangs. */
static void say_nothing(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
}

bool patience_try(struct patience *patience, const atomic_uint *moves,
	void (*look)(void *arg), void *arg)
{
	uint64_t begun_us = clock_us(), spent_us, wait_us = patience->left_us;
	int ends[2];
	bool answers;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return true;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		say_nothing();
		look(arg);
		_exit(0);
	}
	close(ends[1]);
	if (wait_us < MOMENT_US)
		wait_us = MOMENT_US;
	answers = pid < 0 || wait_for_end(ends[0], wait_us, moves);
	close(ends[0]);
	if (pid < 0)
		return true;
	/* Who hangs may not even die before there is an answer. */
	if (!answers)
		kill(pid, SIGKILL);
	waitpid(pid, NULL, answers ? 0 : WNOHANG);
	if (answers && moves)
		return true;
	spent_us = clock_us() - begun_us;
	patience->left_us -=
		spent_us < patience->left_us ? spent_us : patience->left_us;
	return answers;
}
