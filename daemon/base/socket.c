#include "daemon/base/socket.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"

struct sockaddr_in socket_addr(uint32_t addr, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(addr),
	};
}

static int fail(int fd)
{
	int err = -errno;

	close(fd);
	return err;
}

int socket_udp(uint32_t addr, uint16_t port, bool reuse)
{
	struct sockaddr_in to = socket_addr(addr, port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, size = 4 << 20;

	if (fd < 0)
		return -errno;
	if (reuse &&
		(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
			setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one,
				sizeof(one))))
		return fail(fd);
	if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)))
		return fail(fd);
	/* A storm of requests must wait here and not be lost. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)))
		return fail(fd);
	return fd;
}

static int listen_on(const struct sockaddr *to, socklen_t len)
{
	int fd = socket(
		to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, zero = 0;

	if (fd < 0)
		return -errno;
	if (to->sa_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)))
		return fail(fd);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
		bind(fd, to, len) || listen(fd, 1024))
		return fail(fd);
	return fd;
}

int socket_tcp(uint32_t addr, uint16_t port)
{
	struct sockaddr_in to = socket_addr(addr, port);
	struct sockaddr_in6 any = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
	};

	if (!addr) {
		int fd = listen_on((struct sockaddr *)&any, sizeof(any));

		/* A kernel without IPv6, or one where it is switched off. */
		if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)
			return fd;
	}
	return listen_on((struct sockaddr *)&to, sizeof(to));
}

bool socket_get_pktinfo(struct msghdr *msg, struct in_pktinfo *ret)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(ret, CMSG_DATA(c), sizeof(*ret));
			return true;
		}
	}
	return false;
}

void socket_set_pktinfo(struct msghdr *msg, unsigned ifindex, uint32_t from)
{
	struct in_pktinfo info = {
		.ipi_ifindex = (int)ifindex,
		.ipi_spec_dst.s_addr = htonl(from),
	};
	struct cmsghdr *c = msg->msg_control;

	msg->msg_controllen = SOCKET_PKTINFO_SPACE;
	memset(c, 0, msg->msg_controllen);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

/* The inode of the socket that holds a local port: /proc/net/{udp,tcp}. */
static unsigned long inode_of_port(const char *table, uint16_t port, bool tcp)
{
	FILE *file = fopen(table, "re");
	char line[512];
	unsigned long found = 0;

	while (file && !found && fgets(line, sizeof(line), file)) {
		unsigned local, state;
		unsigned long inode;

		if (sscanf(line,
			    "%*s %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*s %*s "
			    "%lu",
			    &local, &state, &inode) == 3 &&
			local == port && (!tcp || state == 10 /* LISTEN */))
			found = inode;
	}
	if (file)
		fclose(file);
	return found;
}

/* Does this process have that socket open? Fills in the program's name. */
static bool process_holds(
	const char *pid, const char *socket_link, char *ret, size_t cap)
{
	char path[300], target[64];
	DIR *dir;
	struct dirent *entry;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		char link[600];
		ssize_t n;

		snprintf(link, sizeof(link), "%s/%s", path, entry->d_name);
		n = readlink(link, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = '\0';
		found = strcmp(target, socket_link) == 0;
	}
	if (dir)
		closedir(dir);
	if (found) {
		FILE *comm;
		char name[32] = "?";

		snprintf(path, sizeof(path), "/proc/%s/comm", pid);
		comm = fopen(path, "re");
		if (comm && fgets(name, sizeof(name), comm))
			name[strcspn(name, "\n")] = '\0';
		if (comm)
			fclose(comm);
		snprintf(ret, cap, "%s, process %.20s", name, pid);
	}
	return found;
}

bool socket_owner(bool tcp, uint16_t port, char *ret, size_t cap)
{
	unsigned long inode = inode_of_port(
		tcp ? "/proc/net/tcp" : "/proc/net/udp", port, tcp);
	char link[64];
	DIR *proc;
	struct dirent *entry;
	bool found = false;

	if (!inode)
		inode = inode_of_port(
			tcp ? "/proc/net/tcp6" : "/proc/net/udp6", port, tcp);
	if (!inode)
		return false;
	snprintf(link, sizeof(link), "socket:[%lu]", inode);
	proc = opendir("/proc");
	while (proc && !found && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			found = process_holds(entry->d_name, link, ret, cap);
	if (proc)
		closedir(proc);
	return found;
}

void socket_log_failure(
	const char *what, bool tcp, uint32_t addr, uint16_t port, int err)
{
	char owner[128], text[INET_ADDRSTRLEN];
	struct in_addr in = {htonl(addr)};
	const char *hint = "";

	inet_ntop(AF_INET, &in, text, sizeof(text));
	if (err == -EADDRINUSE &&
		socket_owner(tcp, port, owner, sizeof(owner))) {
		log_error("%s: %s port %u on %s is taken by %s", what,
			tcp ? "TCP" : "UDP", port, text, owner);
		return;
	}
	if (err == -EADDRINUSE)
		hint = " (another program holds it)";
	else if (err == -EACCES)
		hint = " (ports below 1024 need root or CAP_NET_BIND_SERVICE)";
	else if (err == -EADDRNOTAVAIL)
		hint = " (`listen` is no address of this machine)";
	log_error("%s: cannot listen on %s port %u of %s: %s%s", what,
		tcp ? "TCP" : "UDP", port, text, strerror(-err), hint);
}
