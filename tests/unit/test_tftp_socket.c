/*
 * tftp_socket, on loopback: whatever the kernel refuses of runs and of many
 * messages at once, each block arrives, once and in order.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/base/socket.h"
#include "daemon/tftp/tftp_socket.h"
#include "tests/unit/tftp_file.h"

#define BLKSIZE 1468
#define SIZE	(70 * BLKSIZE + 100)
#define BLOCKS	71

static uint8_t *bytes;

struct fixture {
	struct tftp_path path;
	struct tftp_send send;
	struct view *view;
	int client;
};

static int client_socket(struct sockaddr_in *ret_addr)
{
	struct sockaddr_in addr = socket_addr(INADDR_LOOPBACK, 0);
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int size = 1 << 20;

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*ret_addr = addr;
	return fd;
}

static void init(struct fixture *f)
{
	struct tftp_params params = {.blksize = BLKSIZE, .windowsize = 64};

	*f = (struct fixture){.view = tftp_file_view(bytes, SIZE)};
	tftp_send_start(&f->send, &params, SIZE, 0);
	f->path.fd = tftp_socket_open(INADDR_LOOPBACK);
	assert_true(f->path.fd >= 0);
	f->client = client_socket(&f->path.peer);
}

static void done(struct fixture *f)
{
	view_unref(f->view);
	close(f->path.fd);
	close(f->client);
}

/* Do these blocks arrive at this socket, and no others? */
static bool arrive(int fd, uint64_t first, uint32_t count)
{
	for (uint64_t n = first; n < first + count; n++) {
		uint8_t packet[2000];
		ssize_t len = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);
		size_t at = (n - 1) * BLKSIZE;
		size_t size = SIZE - at < BLKSIZE ? SIZE - at : BLKSIZE;

		if (len != (ssize_t)(4 + size) || packet[1] != TFTP_OP_DATA ||
			packet[3] != n ||
			memcmp(packet + 4, bytes + at, size) != 0)
			return false;
	}
	return recv(fd, &(char){0}, 1, MSG_DONTWAIT) < 0;
}

static bool send_all(struct fixture *f, uint64_t first, uint32_t count)
{
	struct tftp_sent sent =
		tftp_socket_blocks(&f->path, f->view, &f->send, first, count);

	return sent.result == TFTP_SENT_ALL && sent.count == count &&
	       arrive(f->client, first, count);
}

static void nothing(struct fixture *f)
{
	(void)f;
}

/* The kernel makes no segments where it is to make no checksums. */
static void refuse_segments(struct fixture *f)
{
	int one = 1;

	setsockopt(f->path.fd, SOL_SOCKET, SO_NO_CHECK, &one, sizeof(one));
}

/* This process gets ENOSYS for sendmmsg from here on. */
static void refuse_sendmmsg(struct fixture *f)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmmsg, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(code) / sizeof(code[0]),
		.filter = code,
	};

	(void)f;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(77);
}

static void refuse_both(struct fixture *f)
{
	refuse_segments(f);
	refuse_sendmmsg(f);
}

/* A port that was just closed: its ICMP error waits in our socket. */
static void have_error(struct fixture *f)
{
	struct tftp_path stranger = f->path;
	struct pollfd wait = {.fd = f->path.fd};

	close(client_socket(&stranger.peer));
	tftp_socket_error(&stranger, TFTP_ERROR_UNDEFINED, "");
	poll(&wait, 1, 5000);
}

static void refuse_both_with_error(struct fixture *f)
{
	refuse_both(f);
	have_error(f);
}

static const struct {
	const char *name;
	void (*prepare)(struct fixture *f);
	bool singly;
} cases[] = {
	{"all is well", nothing, false},
	{"no UDP_SEGMENT", refuse_segments, true},
	{"no sendmmsg", refuse_sendmmsg, false},
	{"neither", refuse_both, true},
	{"an error about another", have_error, false},
	{"neither, and that error", refuse_both_with_error, true},
};

/* 0, or the number of what went wrong. */
static int try_blocks(size_t i)
{
	struct fixture f;
	int ret = 0;

	init(&f);
	cases[i].prepare(&f);
	if (!send_all(&f, 1, 1))
		ret = 1;
	else if (!send_all(&f, 2, 4))
		ret = 2;
	else if (f.path.singly != cases[i].singly)
		ret = 3;
	else if (!send_all(&f, 6, 64))
		ret = 4;
	else if (!send_all(&f, BLOCKS - 1, 2))
		ret = 5;
	done(&f);
	return ret;
}

/* What cannot be sent together can be sent by itself, as tftp_transfer does. */
static int try_gathered(size_t i)
{
	struct fixture f[3];
	uint32_t gone, n = 0;
	int ret = 0;

	for (size_t k = 0; k < 3; k++)
		init(&f[k]);
	cases[i].prepare(&f[0]);
	for (size_t k = 0; k < 3; k++) {
		f[k].path.fd = f[0].path.fd;
		if (!tftp_socket_gather(&f[k].path, f[k].view, &f[k].send,
			    1 + k, k ? 4 : 1))
			ret = 11;
		n++;
	}
	gone = tftp_socket_send_gathered(f[0].path.fd);
	for (size_t k = 0; k < 3; k++) {
		if (!(k < gone ? arrive(f[k].client, 1 + k, k ? 4 : 1)
			       : send_all(&f[k], 1 + k, k ? 4 : 1)))
			ret = 12;
	}
	if (gone > n || (i == 0 && gone != n))
		ret = 13;
	for (size_t k = 0; k < 3; k++)
		view_unref(f[k].view);
	return ret;
}

/* In a process of its own: what is refused there stays refused. */
static void try_apart(int (*try)(size_t i), size_t i)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(try(i));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("%s: %d", cases[i].name, status >> 8);
}

static void test_blocks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		try_apart(try_blocks, i);
}

static void test_gathered(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		try_apart(try_gathered, i);
}

/* What is too much for one system call, or not for one message. */
static void test_not_gathered(void **state)
{
	struct fixture f;
	uint32_t n = 0;

	(void)state;
	init(&f);
	assert_false(tftp_socket_gather(&f.path, f.view, &f.send, 1, 45));
	f.path.singly = true;
	assert_false(tftp_socket_gather(&f.path, f.view, &f.send, 1, 2));
	f.path.fragments = true;
	assert_false(tftp_socket_gather(&f.path, f.view, &f.send, 1, 1));
	f.path.fragments = f.path.singly = false;
	while (tftp_socket_gather(&f.path, f.view, &f.send, 1 + n, 1))
		n++;
	assert_int_equal(n, TFTP_GATHER_MAX);
	assert_int_equal(tftp_socket_send_gathered(f.path.fd), n);
	assert_true(arrive(f.client, 1, n));
	for (n = 0; n * 4 < 44; n++)
		assert_true(tftp_socket_gather(
			&f.path, f.view, &f.send, 1 + n * 4, 4));
	assert_false(tftp_socket_gather(&f.path, f.view, &f.send, 45, 1));
	assert_int_equal(tftp_socket_send_gathered(f.path.fd), n);
	assert_true(arrive(f.client, 1, 44));
	done(&f);
}

/* An ICMP error says which peer it is about. */
static void test_icmp(void **state)
{
	struct fixture f;
	struct sockaddr_in gone_peer, peer;
	struct tftp_path path;
	struct pollfd wait;
	bool gone = false;

	(void)state;
	init(&f);
	path = f.path;
	close(client_socket(&gone_peer));
	path.peer = gone_peer;
	assert_false(tftp_socket_take_icmp(f.path.fd, &peer, &gone));
	tftp_socket_error(&path, TFTP_ERROR_UNDEFINED, "");
	wait = (struct pollfd){.fd = f.path.fd};
	assert_int_equal(poll(&wait, 1, 5000), 1);
	assert_true(tftp_socket_take_icmp(f.path.fd, &peer, &gone));
	assert_true(gone);
	assert_int_equal(peer.sin_port, gone_peer.sin_port);
	assert_int_equal(peer.sin_addr.s_addr, gone_peer.sin_addr.s_addr);
	assert_false(tftp_socket_take_icmp(f.path.fd, &peer, &gone));
	done(&f);
}

static int make(void **state)
{
	(void)state;
	bytes = tftp_file_bytes(SIZE);
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	free(bytes);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_gathered),
		cmocka_unit_test(test_not_gathered),
		cmocka_unit_test(test_icmp),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
