#include "daemon/base/patience.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/clock.h"

#define MOMENT_US 100000

bool patience_try(struct patience *patience, void (*look)(void *arg), void *arg)
{
	uint64_t begun_us = clock_us(), spent_us, wait_us = patience->left_us;
	struct pollfd ended = {.events = POLLIN};
	bool answers = true;
	pid_t pid = fork();

	if (pid < 0)
		return true;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		look(arg);
		_exit(0);
	}
	if (wait_us < MOMENT_US)
		wait_us = MOMENT_US;
	ended.fd = pidfd_open(pid, 0);
	if (ended.fd >= 0) {
		answers = TEMP_FAILURE_RETRY(
				  poll(&ended, 1, (int)(wait_us / 1000))) != 0;
		close(ended.fd);
	}
	/* Who hangs may not even die before there is an answer. */
	if (!answers)
		kill(pid, SIGKILL);
	waitpid(pid, NULL, answers ? 0 : WNOHANG);
	spent_us = clock_us() - begun_us;
	patience->left_us -=
		spent_us < patience->left_us ? spent_us : patience->left_us;
	return answers;
}
