#include "daemon/policy/decide.h"

#include <stdio.h>
#include <string.h>

#include "daemon/policy/decide_url.h"

static void set_mode(struct config_resolved *set,
	struct decide_override *override, enum config_mode mode, const char *by)
{
	set->mode = mode;
	set->mode_from = CONFIG_ORIGIN_OVERRIDE;
	set->mode_at = (struct config_at){0};
	override->mode = by;
}

static void set_once(struct config_resolved *set,
	struct decide_override *override, const struct state_machine *m)
{
	override->once = true;
	if (m->once_mode != CONFIG_MODE_UNSET)
		set_mode(set, override, m->once_mode, "boot-once");
	else if (set->mode == CONFIG_MODE_LOCAL)
		set_mode(set, override, CONFIG_MODE_IPXE, "boot-once");
	if (m->once_image[0]) {
		set->image = m->once_image;
		set->sha256 = NULL; /* the file pins its own image */
		set->image_from = CONFIG_ORIGIN_OVERRIDE;
		set->image_at = (struct config_at){0};
	}
}

void decide_settings(const struct decide_world *world,
	const struct config_machine *machine, struct config_resolved *ret,
	struct decide_override *ret_override)
{
	static const struct state_machine nothing;
	const struct state_machine *m =
		machine ? state_find(world->state, machine->name) : NULL;
	enum config_mode all = state_mode_for_all(world->state);

	if (!m)
		m = &nothing;
	*ret_override = (struct decide_override){0};
	config_resolve(world->config, machine, ret);
	if (m->mode != CONFIG_MODE_UNSET)
		set_mode(ret, ret_override, m->mode, "mode");
	else if (all != CONFIG_MODE_UNSET &&
		 (ret->mode != CONFIG_MODE_LOCAL ||
			 state_all_includes_local(world->state)))
		set_mode(ret, ret_override, all, "mode --all");
	ret_override->after_once = ret->mode;
	if (m->once)
		set_once(ret, ret_override, m);
	if (ret->mode == CONFIG_MODE_ALTERNATE) {
		ret_override->alternate = true;
		ret->mode = m->last_mode == CONFIG_MODE_IPXE
				    ? CONFIG_MODE_TFTP_UKI
				    : CONFIG_MODE_IPXE;
	}
}

bool decide_is_elsewhere(const struct config_resolved *set)
{
	return set->image && strchr(set->image, '/');
}

const char *decide_why_not_elsewhere(
	const struct config_resolved *set, enum arch arch)
{
	if (set->sha256)
		return "another server has it, so `sha256` cannot be checked";
	if (arch == ARCH_BIOS)
		return "another server has it, and BIOS needs its kernel, "
		       "which netukid cuts out of its own images only";
	return NULL;
}

bool decide_cmdline(const struct image *image,
	const struct config_resolved *set, char ret[PLAN_CMDLINE_MAX])
{
	const char *embedded = image ? image->cmdline : "";
	int n = snprintf(ret, PLAN_CMDLINE_MAX, "%s%s%s", embedded,
		*embedded && *set->cmdline ? " " : "", set->cmdline);

	return n >= 0 && n < PLAN_CMDLINE_MAX;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

const char *decide_why_not_pinned(
	const struct image *image, const struct config_resolved *set)
{
	char digest[DIGEST_TEXT_LEN];

	if (!set->sha256)
		return NULL;
	if (image->digest_error)
		return "its digest could not be computed, and `sha256` pins it";
	if (!image->has_digest)
		return "its digest is being computed, as `sha256` pins it: try "
		       "again soon";
	digest_format(&image->digest, digest);
	return strcmp(digest, set->sha256) == 0
		       ? NULL
		       : "its digest is not what `sha256` says";
}

bool decide_has_initrd(const struct image *image)
{
	return uki_find(&image->uki, ".initrd") ||
	       uki_find(&image->uki, ".ucode");
}

const char *decide_splice(const struct image *image,
	const struct config_resolved *set, char ret[PLAN_CMDLINE_MAX],
	const char **ret_why)
{
	*ret_why = NULL;
	if (!*set->cmdline || image->uki.kind != UKI_KIND_UKI)
		return NULL;
	if (decide_cmdline(image, set, ret))
		*ret_why = image_why_not_splice(image, ret);
	else
		*ret_why = "the command line is too long: the machine's part "
			   "is left out";
	return *ret_why ? NULL : ret;
}

static bool finish(struct wire_writer *w, struct plan *plan)
{
	if (wire_terminate(w))
		return true;
	plan->kind = PLAN_SILENCE;
	plan->reason = "the file name is too long for DHCP";
	return false;
}

static void be_silent(struct plan *plan, const char *reason)
{
	plan->kind = PLAN_SILENCE;
	plan->reason = reason;
}

static void give_loader(const struct decide_world *world,
	const struct client *client, struct plan *plan, const char *reason)
{
	enum arch arch = client->arch;
	struct wire_writer w;

	plan->loader = arch == ARCH_INVALID ? NULL : plan->set.loader[arch];
	if (!plan->loader) {
		be_silent(plan, "no loader is configured for its architecture");
		return;
	}
	plan->kind = PLAN_LOADER;
	plan->reason = reason;
	wire_writer_init(&w, plan->file, sizeof(plan->file));
	if (client->firmware == PXE_FIRMWARE_HTTP) {
		decide_url_put_base(&w, world->config, client);
		wire_put_text(&w, "/loaders/");
		decide_url_put_name(&w, base_name(plan->loader));
	} else {
		wire_put_text(&w, base_name(plan->loader));
	}
	finish(&w, plan);
}

/* The image itself, to a firmware that loads it over TFTP or HTTP. */
static void give_image(const struct decide_world *world,
	const struct client *client, struct plan *plan, const char *reason)
{
	char cmdline[PLAN_CMDLINE_MAX];
	struct wire_writer w;
	bool spliced;

	plan->image_problem = image_why_not_efi(plan->image, client->arch);
	if (plan->image_problem) {
		/* iPXE's script can say on the screen what is wrong. */
		give_loader(world, client, plan,
			"the image does not suit: iPXE will say so");
		return;
	}
	spliced =
		decide_splice(plan->image, &plan->set, cmdline, &plan->warning);
	plan->kind = PLAN_IMAGE;
	plan->reason = reason;
	wire_writer_init(&w, plan->file, sizeof(plan->file));
	if (client->firmware == PXE_FIRMWARE_HTTP) {
		decide_url_put_base(&w, world->config, client);
		wire_put_text(&w, "/");
	}
	decide_url_put_folder(&w, client, plan, spliced);
	if (client->firmware == PXE_FIRMWARE_HTTP)
		decide_url_put_name(&w, plan->image->name);
	else
		wire_put_text(&w, plan->image->name);
	finish(&w, plan);
}

/* The same of another server: it knows its way. */
static void give_url(struct plan *plan, const char *reason)
{
	plan->kind = PLAN_IMAGE;
	plan->reason = reason;
	snprintf(plan->file, sizeof(plan->file), "%s", plan->set.image);
	if (*plan->set.cmdline)
		plan->warning = "another server has the image: the firmware "
				"gets it without `cmdline`";
}

static void give_script_url(const struct decide_world *world,
	const struct client *client, struct plan *plan)
{
	struct wire_writer w;
	char id[UUID_TEXT_LEN];

	plan->kind = PLAN_SCRIPT;
	plan->reason = "iPXE: a script";
	wire_writer_init(&w, plan->file, sizeof(plan->file));
	decide_url_put_base(&w, world->config, client);
	wire_put_text(&w, "/ipxe/");
	decide_client_id(client, id);
	wire_put_text(&w, id);
	/* iPXE puts in what only it knows. */
	wire_put_text(&w, "?arch=${buildarch}&platform=${platform}"
			  "&uuid=${uuid}&serial=${serial:uristring}");
	finish(&w, plan);
}

/*
 * The shortest way that leaves the firmware its boot order. What is left is its
 * own: UEFI collects offers for four seconds, for PXE and again for HTTP Boot,
 * whatever it is told meanwhile, and is through each of them a few hundredths
 * of a second after that; silence, or PXE alone, costs it another minute.
 */
static void go_local(const struct decide_world *world,
	const struct client *client, struct plan *plan)
{
	struct wire_writer w;

	plan->kind = PLAN_LOCAL;
	plan->reason = "mode local: boot from the disk";
	wire_writer_init(&w, plan->file, sizeof(plan->file));
	if (client->firmware == PXE_FIRMWARE_HTTP) {
		/* A URL that is not there ends HTTP Boot at once. */
		decide_url_put_base(&w, world->config, client);
		wire_put_text(&w, "/local.efi");
		finish(&w, plan);
	} else if (client->firmware == PXE_FIRMWARE_IPXE) {
		give_script_url(world, client, plan);
		plan->reason = "mode local: a script that exits";
	} else {
		plan->form = PXE_FORM_LOCAL;
	}
}

static enum pxe_form choose_form(
	const struct client *client, const struct plan *plan)
{
	switch (client->firmware) {
	case PXE_FIRMWARE_HTTP:
		return PXE_FORM_HTTP;
	case PXE_FIRMWARE_IPXE:
		return PXE_FORM_IPXE;
	case PXE_FIRMWARE_BIOS:
		return PXE_FORM_DIRECT;
	case PXE_FIRMWARE_UEFI:
	case PXE_FIRMWARE_MAX:
		break;
	}
	if (plan->set.offer == CONFIG_OFFER_PXE_PORT ||
		(plan->set.offer != CONFIG_OFFER_DIRECT &&
			client->auto_form == CONFIG_OFFER_PXE_PORT))
		return PXE_FORM_PXE_PORT;
	return PXE_FORM_DIRECT;
}

static void find_image(const struct decide_world *world,
	const struct client *client, struct plan *plan)
{
	if (!plan->set.image) {
		plan->image_problem = "no image is configured for it";
		return;
	}
	if (decide_is_elsewhere(&plan->set)) {
		plan->image_problem =
			decide_why_not_elsewhere(&plan->set, client->arch);
		return;
	}
	plan->image =
		images_find_for(world->images, plan->set.image, client->arch);
	if (!plan->image)
		plan->image_problem = "the image is not in the catalogue";
	else if (plan->image->state != IMAGE_STATE_READY)
		plan->image_problem = plan->image->why;
	else
		plan->image_problem =
			decide_why_not_pinned(plan->image, &plan->set);
}

static void decide_firmware(const struct decide_world *world,
	const struct client *client, struct plan *plan)
{
	switch (client->firmware) {
	case PXE_FIRMWARE_IPXE:
		if (client->ipxe_http)
			give_script_url(world, client, plan);
		else
			give_loader(world, client, plan,
				"an iPXE without HTTP: one that has it");
		break;
	case PXE_FIRMWARE_HTTP:
		if (plan->image_problem)
			give_loader(world, client, plan,
				"there is no image: iPXE will say so");
		else if (decide_is_elsewhere(&plan->set))
			give_url(plan, "UEFI HTTP Boot, from another server");
		else
			give_image(world, client, plan, "UEFI HTTP Boot");
		break;
	case PXE_FIRMWARE_BIOS:
		give_loader(world, client, plan, "PXE BIOS: iPXE first");
		break;
	case PXE_FIRMWARE_UEFI:
	case PXE_FIRMWARE_MAX:
		if (plan->set.mode != CONFIG_MODE_TFTP_UKI)
			give_loader(world, client, plan, "mode ipxe");
		else if (plan->image_problem)
			give_loader(world, client, plan,
				"there is no image: iPXE will say so");
		else if (decide_is_elsewhere(&plan->set))
			give_loader(world, client, plan,
				"mode tftp-uki, but another server has the "
				"image: iPXE fetches it");
		else
			give_image(world, client, plan,
				"mode tftp-uki: the image over TFTP");
		break;
	}
}

void decide(const struct decide_world *world, const struct client *client,
	struct plan *ret)
{
	const struct config *config = world->config;

	*ret = (struct plan){.reason = ""};
	ret->machine =
		config_find(config, client->has_mac ? &client->mac : NULL,
			client->has_uuid ? &client->uuid : NULL, client->serial,
			&ret->matched_by);
	decide_settings(world, ret->machine, &ret->set, &ret->override);
	if (!ret->machine && config->unknown == CONFIG_UNKNOWN_IGNORE) {
		be_silent(ret, "unknown machine (unknown-machines: ignore)");
		return;
	}
	ret->form = choose_form(client, ret);
	if (ret->set.mode == CONFIG_MODE_LOCAL) {
		go_local(world, client, ret);
		return;
	}
	find_image(world, client, ret);
	if (!ret->machine && !ret->set.image) {
		be_silent(ret, "unknown machine, and `defaults` has no image");
		return;
	}
	decide_firmware(world, client, ret);
}
