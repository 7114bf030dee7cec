#include "daemon/check.h"

#include <string.h>

#include "daemon/decide.h"

static void check_image(const struct config *config,
	const struct images *images, const char *name, struct config_at at,
	struct config_report *report)
{
	const struct image *image = images_find(images, name);

	if (!image)
		config_report_add(report, config, at, false,
			"image: %s is not in %s", name, config->images);
	else if (image->state == IMAGE_STATE_REFUSED)
		config_report_add(report, config, at, false,
			"image: %s cannot be booted: %s", name, image->why);
}

/* The same image is named by many machines: each place is told apart. */
static void check_settings(const struct config *config,
	const struct images *images, const struct config_settings *set,
	struct config_report *report)
{
	if (set->image)
		check_image(config, images, set->image, set->image_at, report);
}

/* A firmware that loads the image itself gets its command line by splicing. */
static void check_splice(const struct config *config,
	const struct images *images, const struct config_machine *machine,
	struct config_report *report)
{
	struct config_resolved set;
	const struct image *image;
	char cmdline[PLAN_CMDLINE_MAX];
	const char *why;

	config_resolve(config, machine, &set);
	if (set.mode != CONFIG_MODE_TFTP_UKI || !*set.cmdline || !set.image)
		return;
	image = images_find(images, set.image);
	if (!image || image->state != IMAGE_STATE_READY ||
		image->uki.kind != UKI_KIND_UKI)
		return;
	why = decide_cmdline(image, &set, cmdline)
		      ? image_why_not_splice(image, cmdline)
		      : "it is too long";
	if (why)
		config_report_add(report, config, set.cmdline_at, true,
			"cmdline: will not be added to %s in mode tftp-uki: "
			"%s",
			set.image, why);
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

void check_config(const struct config *config, const struct images *images,
	const struct netifs *netifs, struct config_report *report)
{
	check_settings(config, images, &config->defaults, report);
	for (size_t i = 0; i < config->n_groups; i++)
		check_settings(
			config, images, config->groups[i].settings, report);
	for (size_t i = 0; i < config->n_machines; i++) {
		check_settings(
			config, images, config->machines[i].settings, report);
		check_splice(config, images, &config->machines[i], report);
	}
	if (netifs)
		check_interfaces(config, netifs, report);
}
