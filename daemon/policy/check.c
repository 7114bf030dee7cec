#include "daemon/policy/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/names.h"
#include "daemon/base/socket.h"
#include "daemon/images/extra.h"
#include "daemon/policy/decide.h"

/* What check_settings needs of check_config's. */
struct checked_files {
	const struct config *config;
	const struct images *images;
	bool may_come;
	struct config_report *report;
};

/* The image that was perhaps meant; NULL: none, or it would be said nowhere. */
static const char *nearest(const struct checked_files *c, const char *name)
{
	struct suggest suggest;

	if (c->report->n == CONFIG_REPORT_MAX)
		return NULL;
	suggest_init(&suggest, name);
	for (size_t i = 0; i < c->images->n; i++)
		suggest_try(&suggest, c->images->image[i]->name);
	return suggest_best(&suggest);
}

static void check_image(
	const struct checked_files *c, const char *name, struct config_at at)
{
	const struct image *image = images_find_any(c->images, name);
	const char *near;

	if (strchr(name, '/')) /* another server's */
		return;
	if (image && image->state == IMAGE_STATE_REFUSED)
		config_report_add_absent(c->report, c->config, at, c->may_come,
			"image: %s cannot be booted: %s", name, image->why);
	if (image)
		return;
	near = nearest(c, name);
	config_report_add_absent(c->report, c->config, at, c->may_come,
		"image: %s is not in %s%s%s%s%s", name, c->config->images,
		near ? ": did you mean '" : "", near ? near : "",
		near ? "'?" : "",
		c->may_come && !near ? "; it is booted once it is there" : "");
}

/* One that comes late is served then: a warning. */
static void check_file(const struct config *config,
	const struct config_file *file, struct config_report *report)
{
	const char *why = extra_problem(file->path);

	if (why)
		config_report_add(report, config, file->at, true,
			"files: %s: %s: %s", file->name, file->path, why);
}

/* The same image is named by many machines: each place is told apart. */
static void check_settings(
	const struct checked_files *c, const struct config_settings *set)
{
	if (set->image)
		check_image(c, set->image, set->image_at);
}

static void check_files_of(const struct config *config,
	const struct config_settings *set, struct config_report *report)
{
	for (size_t i = 0; set->files && i < set->files->n; i++)
		check_file(config, &set->files->file[i], report);
}

void check_files(const struct config *config, struct config_report *report)
{
	check_files_of(config, &config->defaults, report);
	for (size_t i = 0; i < config->n_groups; i++)
		check_files_of(config, config->groups[i].settings, report);
	for (size_t i = 0; i < config->n_machines; i++)
		check_files_of(config, config->machines[i].settings, report);
}

/* What the settings of one machine come to, and their image, which is READY. */
struct checked {
	const struct config *config;
	const struct config_machine *machine; /* NULL: an unknown one */
	struct config_resolved set;
	const struct image *image;
	const struct loaders *loaders;
	const char **told; /* by architecture: a loader that was told of */
	struct config_report *report;
};

/* A firmware that loads the image itself gets its command line by splicing. */
static void check_splice(const struct checked *c)
{
	char cmdline[PLAN_CMDLINE_MAX];
	const char *why;

	if (c->set.mode == CONFIG_MODE_LOCAL || !*c->set.cmdline ||
		c->image->uki.kind != UKI_KIND_UKI)
		return;
	why = decide_cmdline(c->image, &c->set, cmdline)
		      ? image_why_not_splice(c->image, cmdline)
		      : "it is too long";
	if (why)
		config_report_add(c->report, c->config, c->set.cmdline_at, true,
			"cmdline: will not be added to %s %s: %s", c->set.image,
			c->set.mode == CONFIG_MODE_IPXE
				? "by UEFI HTTP Boot"
				: "in mode tftp-uki and by UEFI HTTP Boot",
			why);
}

/*
 * One bad image must not keep the daemon from starting: a warning. While the
 * digest is not known there is nothing to say; the boots will tell.
 */
static void check_pin(const struct checked *c)
{
	if (c->set.sha256 && c->image->has_digest &&
		decide_why_not_pinned(c->image, &c->set))
		config_report_add(c->report, c->config, c->set.sha256_at, true,
			"sha256: %s has another digest: it will not be booted",
			c->set.image);
}

/*
 * Architectures are known from the image, and from loaders of the machine's
 * own. In mode ipxe nothing goes without a loader of the image's.
 */
static void check_arch(const struct checked *c)
{
	enum arch arch = c->image->uki.arch;
	bool bios = !image_why_not_bios(c->image);
	bool own = false, suits = false;

	if (c->set.mode == CONFIG_MODE_LOCAL)
		return;
	for (int a = 0; c->machine && a < ARCH_MAX; a++) {
		bool said = c->machine->settings->loader[a] != NULL;

		own |= said;
		suits |= said && (a == (int)arch || (a == ARCH_BIOS && bios));
	}
	if (own && !suits)
		config_report_add(c->report, c->config,
			c->machine->settings->loaders_at, true,
			"loaders: none of them is for %s, as the image %s is",
			arch_name(arch), c->image->name);
	else if (c->set.mode == CONFIG_MODE_IPXE && !c->set.loader[arch] &&
		 !(bios && c->set.loader[ARCH_BIOS]))
		config_report_add(c->report, c->config, c->set.image_at, true,
			"image: %s is for %s, and `loaders` has none for it: "
			"only UEFI HTTP Boot will boot it",
			c->image->name, arch_name(arch));
}

/* What another server has cannot be looked at; this much is known. */
static void check_elsewhere(const struct checked *c)
{
	const char *why = decide_why_not_elsewhere(&c->set, ARCH_INVALID);
	const char *x64 = c->set.loader[ARCH_X64];

	if (why)
		config_report_add(c->report, c->config, c->set.sha256_at, true,
			"sha256: %s will not be booted: %s", c->set.image, why);
	if (c->set.mode == CONFIG_MODE_TFTP_UKI ||
		c->set.mode == CONFIG_MODE_ALTERNATE)
		config_report_add(c->report, c->config, c->set.mode_at, true,
			"mode: %s does not come over TFTP: iPXE fetches it",
			c->set.image);
	if (*c->set.cmdline && c->set.mode != CONFIG_MODE_LOCAL)
		config_report_add(c->report, c->config, c->set.cmdline_at, true,
			"cmdline: UEFI HTTP Boot gets %s without it, and by "
			"iPXE it stands in the place of the image's own",
			c->set.image);
	/* Nobody named another than Debian's. */
	if (strncmp(c->set.image, "https:", 6) == 0 && x64 &&
		x64 == c->config->loaders[ARCH_X64] &&
		!c->config->loaders_at[ARCH_X64].line)
		config_report_add(c->report, c->config, c->set.image_at, true,
			"url: %s: the iPXE of Debian 12 (%s) has no HTTPS",
			c->set.image, x64);
}

/*
 * Whoever signs images may well want them checked. Whether a firmware does it
 * does not say: of each loader it is told once.
 */
static void check_secure_boot(const struct checked *c)
{
	enum arch arch = c->image->uki.arch;
	const char *loader = c->set.loader[arch];

	if (!c->image->uki.cert_size || !loader || !c->loaders ||
		c->told[arch] == loader ||
		(c->set.mode != CONFIG_MODE_IPXE &&
			c->set.mode != CONFIG_MODE_ALTERNATE) ||
		loaders_signer(c->loaders, loader))
		return;
	c->told[arch] = loader;
	config_report_add(c->report, c->config, c->set.mode_at, true,
		"mode: a firmware in Secure Boot mode refuses %s, which is not "
		"signed; %s, which is, it boots in mode tftp-uki and by HTTP "
		"Boot",
		loader, c->image->name);
}

/* `c` has what is the same for all. */
static void check_machine(struct checked c, const struct images *images,
	const struct config_machine *machine)
{
	c.machine = machine;
	config_resolve(c.config, machine, &c.set);
	if (!c.set.image)
		return;
	if (decide_is_elsewhere(&c.set)) {
		check_elsewhere(&c);
		return;
	}
	/* Of an index of several architectures each machine takes its own. */
	c.image = images_find(images, c.set.image);
	if (!c.image || c.image->state == IMAGE_STATE_REFUSED ||
		!c.image->parsed)
		return;
	check_pin(&c);
	if (c.image->state == IMAGE_STATE_READY) {
		check_splice(&c);
		check_arch(&c);
		check_secure_boot(&c);
	}
}

static void check_interfaces(const struct config *config,
	const struct netifs *netifs, struct config_report *report)
{
	for (size_t i = 0; i < config->n_interfaces; i++) {
		const struct netif *netif =
			netif_by_name(netifs, config->interfaces[i]);

		if (!netif)
			config_report_add(report, config,
				config->interfaces_at[i], true,
				"interfaces: there is no %s now; it is served "
				"when it appears",
				config->interfaces[i]);
		else if (!netif->n_addrs)
			config_report_add(report, config,
				config->interfaces_at[i], true,
				"interfaces: %s has no IPv4 address now",
				config->interfaces[i]);
	}
}

void check_ports(const struct config *config, struct config_report *report)
{
	const struct {
		const char *key;
		bool tcp, wanted;
		uint32_t addr;
		uint16_t port;
		struct config_at at;
	} ports[] = {
		{"dhcp.pxe-port", false, config->dhcp.enabled,
			config->dhcp.listen, config->dhcp.pxe_port,
			config->dhcp.at},
		{"tftp.port", false, true, config->tftp.listen,
			config->tftp.port, config->tftp.at},
		{"http.port", true, true, config->http.listen,
			config->http.port, config->http.at},
	};

	for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
		uint16_t port = ports[i].port;
		char owner[128];
		int fd;

		if (!ports[i].wanted)
			continue;
		fd = ports[i].tcp ? socket_tcp(ports[i].addr, port)
				  : socket_udp(ports[i].addr, port, false);
		if (fd >= 0)
			close(fd);
		if (fd == -EADDRINUSE &&
			socket_owner(
				ports[i].tcp, port, owner, sizeof(owner)) &&
			strncmp(owner, "netukid,", 8) != 0)
			config_report_add(report, config, ports[i].at, true,
				"%s: %s port %u is taken by %s", ports[i].key,
				ports[i].tcp ? "TCP" : "UDP", port, owner);
	}
}

/* Somebody is to boot from there. */
static void check_directory(const struct config *config,
	const struct images *images, struct config_report *report)
{
	if (images->too_many)
		config_report_add(report, config, config->images_at, true,
			"images: %s holds more than %d: the rest is left out, "
			"of those that no machine boots",
			config->images, IMAGES_MAX);
	if ((!config->n_machines && config->unknown == CONFIG_UNKNOWN_IGNORE) ||
		access(config->images, R_OK | X_OK) == 0)
		return;
	if (errno == ENOENT)
		config_report_add(report, config, config->images_at, true,
			"images: there is no %s", config->images);
	else
		config_report_add(report, config, config->images_at, true,
			"images: %s: %s", config->images, strerror(errno));
}

void check_config(const struct config *config, const struct images *images,
	const struct loaders *loaders, const struct netifs *netifs,
	bool may_come, struct config_report *report)
{
	const struct checked_files files = {config, images, may_come, report};
	const char *told[ARCH_MAX] = {0};
	const struct checked all = {
		.config = config,
		.loaders = loaders,
		.told = told,
		.report = report,
	};

	check_directory(config, images, report);
	check_settings(&files, &config->defaults);
	for (size_t i = 0; i < config->n_groups; i++)
		check_settings(&files, config->groups[i].settings);
	for (size_t i = 0; i < config->n_machines; i++) {
		check_settings(&files, config->machines[i].settings);
		check_machine(all, images, &config->machines[i]);
	}
	if (config->unknown == CONFIG_UNKNOWN_DEFAULT)
		check_machine(all, images, NULL);
	if (netifs)
		check_interfaces(config, netifs, report);
}

struct check_client *check_clients(const struct clients *clients, size_t *ret_n)
{
	struct check_client *list = calloc(CLIENTS_MAX, sizeof(*list));
	const struct client_record *r;
	size_t n = 0;

	TAILQ_FOREACH (r, clients_list(clients), lru)
		if (list && n < CLIENTS_MAX && r->arch != ARCH_INVALID)
			list[n++] = (struct check_client){
				r->mac, r->has_uuid, r->uuid, r->arch};
	*ret_n = n;
	return list;
}

static void check_one_seen(const struct config *config,
	const struct images *images, const struct check_client *r,
	struct config_report *report)
{
	const struct config_machine *machine = config_find(
		config, &r->mac, r->has_uuid ? &r->uuid : NULL, NULL, NULL);
	struct config_resolved set;
	const struct image *image;
	const char *why;

	if (!machine)
		return;
	config_resolve(config, machine, &set);
	if (!set.image || set.mode == CONFIG_MODE_LOCAL)
		return;
	image = images_find_for(images, set.image, r->arch);
	if (decide_is_elsewhere(&set))
		why = decide_why_not_elsewhere(&set, r->arch);
	else if (!image && images_find_any(images, set.image))
		why = "its index has none for that";
	else if (!image || image->state != IMAGE_STATE_READY)
		return;
	else
		why = r->arch == ARCH_BIOS ? image_why_not_bios(image)
					   : image_why_not_efi(image, r->arch);
	if (why)
		config_report_add(report, config, set.image_at, true,
			"image: %s does not suit %s, which last asked as %s: "
			"%s",
			set.image, machine->name, arch_name(r->arch), why);
}

void check_seen(const struct config *config, const struct images *images,
	const struct check_client *clients, size_t n,
	struct config_report *report)
{
	for (size_t i = 0; i < n; i++)
		check_one_seen(config, images, &clients[i], report);
}

static bool wants_digest(
	const struct config_resolved *set, const struct image *image)
{
	return set->image && (set->sha256 || image->must_match) &&
	       image_is_named(image, set->image);
}

bool check_wants_digest(void *arg, const struct image *image)
{
	const struct config *config = arg;
	struct config_resolved set;

	config_resolve(config, NULL, &set);
	if (wants_digest(&set, image))
		return true;
	for (size_t i = 0; i < config->n_machines; i++) {
		config_resolve(config, &config->machines[i], &set);
		if (wants_digest(&set, image))
			return true;
	}
	return false;
}
