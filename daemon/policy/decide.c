#include "daemon/policy/decide.h"

#include <stdio.h>
#include <string.h>

#include "proto/wire.h"

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

void decide_client_id(const struct client *client, char ret[UUID_TEXT_LEN])
{
	if (client->has_mac)
		mac_format(&client->mac, '-', ret);
	else
		uuid_format(&client->uuid, ret);
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

/* "http://A.B.C.D[:PORT]", or what the configuration says. */
static void put_base(struct wire_writer *w, const struct config *config,
	const struct client *client)
{
	if (config->http.base_url) {
		wire_put_text(w, config->http.base_url);
		return;
	}
	wire_put_text(w, "http://");
	if (client->server6)
		wire_put_text(w, client->server6);
	else
		wire_put_ipv4(w, client->server);
	if (config->http.port != 80) {
		wire_put_text(w, ":");
		wire_put_dec(w, config->http.port);
	}
}

/* A name as a part of a URL's path. */
static void put_escaped(struct wire_writer *w, const char *name)
{
	for (const unsigned char *p = (const void *)name; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') ||
			     (*p >= 'A' && *p <= 'Z') ||
			     (*p >= '0' && *p <= '9') || strchr("-._~:+@", *p);

		if (plain) {
			wire_put_u8(w, *p);
		} else {
			wire_put_text(w, "%");
			wire_put_hex(w, *p, 2);
		}
	}
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

/* "ID" of machines/ID: what finds the same machine again. */
static void put_machine_id(struct wire_writer *w, const struct client *client,
	const struct plan *plan)
{
	const char *by = plan->matched_by;
	char id[UUID_TEXT_LEN];

	if (plan->machine && by && strcmp(by, "serial") == 0 &&
		!strchr(plan->machine->name, '/')) {
		put_escaped(w, plan->machine->name);
		return;
	}
	if (by && strcmp(by, "uuid") == 0)
		uuid_format(&client->uuid, id);
	else
		decide_client_id(client, id);
	wire_put_text(w, id);
}

/*
 * While boot-once or `alternate` waits for the last byte of this boot's image,
 * its name says whose it is: an address may be a relay's or unknown.
 */
static void put_image_path(struct wire_writer *w, const struct client *client,
	const struct plan *plan, bool spliced)
{
	/* A pin is looked at again when the image is asked for. */
	if (spliced || plan->override.once || plan->override.alternate ||
		plan->set.sha256) {
		wire_put_text(w, "machines/");
		put_machine_id(w, client, plan);
		wire_put_text(w, "/");
	} else {
		wire_put_text(w, "images/");
	}
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
		put_base(&w, world->config, client);
		wire_put_text(&w, "/loaders/");
		put_escaped(&w, base_name(plan->loader));
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
		put_base(&w, world->config, client);
		wire_put_text(&w, "/");
	}
	put_image_path(&w, client, plan, spliced);
	if (client->firmware == PXE_FIRMWARE_HTTP)
		put_escaped(&w, plan->image->name);
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
	put_base(&w, world->config, client);
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
		put_base(&w, world->config, client);
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

/* "http://BASE/images/NAME" and what follows it. */
static bool put_url(const struct decide_world *world,
	const struct client *client, const struct plan *plan, bool spliced,
	const char *part, char ret[PLAN_FILE_MAX])
{
	struct wire_writer w;

	wire_writer_init(&w, ret, PLAN_FILE_MAX);
	put_base(&w, world->config, client);
	wire_put_text(&w, "/");
	put_image_path(&w, client, plan, spliced);
	put_escaped(&w, plan->image->name);
	/* The parts of one boot shall be of one version of the image. */
	if (*part && *plan->image->version_tag) {
		wire_put_text(&w, "@v-");
		wire_put_text(&w, plan->image->version_tag);
	}
	wire_put_text(&w, part);
	return wire_terminate(&w) != NULL;
}

static void say(
	struct script_plan *ret, const struct plan *plan, const char *problem)
{
	ret->script = (struct ipxe_script){
		.kind = IPXE_SCRIPT_SAY,
		.title = ret->title,
		.message = ret->message,
	};
	snprintf(ret->message, sizeof(ret->message), "%s%s%s",
		plan->set.image ? plan->set.image : "",
		plan->set.image ? ": " : "", problem);
}

static void script_kernel(const struct decide_world *world,
	const struct client *client, const struct plan *plan,
	struct script_plan *ret)
{
	const char *problem = image_why_not_bios(plan->image);
	uint32_t max = plan->image->kernel.cmdline_max;

	if (!problem && !ipxe_cmdline_is_safe(ret->cmdline, &problem))
		;
	else if (!problem && max && strlen(ret->cmdline) > max)
		problem = "the command line is too long for this kernel";
	if (problem) {
		say(ret, plan, problem);
		return;
	}
	ret->script = (struct ipxe_script){
		.kind = IPXE_SCRIPT_KERNEL,
		.title = ret->title,
		.url = ret->url,
		.cmdline = ret->cmdline,
	};
	if (decide_has_initrd(plan->image))
		ret->script.initrd = ret->initrd;
	if (!put_url(world, client, plan, false, "/linux", ret->url) ||
		!put_url(world, client, plan, false, "/initrd", ret->initrd))
		say(ret, plan, "its URL is too long");
}

/* What the image carries is not known: `cmdline` is all, or nothing. */
static void script_url(const struct plan *plan, struct script_plan *ret)
{
	const char *problem;

	ret->script = (struct ipxe_script){
		.kind = IPXE_SCRIPT_CHAIN,
		.title = ret->title,
		.url = plan->set.image,
		.cmdline = *plan->set.cmdline ? plan->set.cmdline : NULL,
	};
	if (!ipxe_cmdline_is_safe(plan->set.cmdline, &problem))
		say(ret, plan, problem);
}

static void script_chain(const struct decide_world *world,
	const struct client *client, const struct plan *plan,
	struct script_plan *ret)
{
	const char *problem = image_why_not_efi(plan->image, client->arch);
	const char *unsafe;
	bool spliced = false;

	if (problem) {
		say(ret, plan, problem);
		return;
	}
	ret->script = (struct ipxe_script){
		.kind = IPXE_SCRIPT_CHAIN,
		.title = ret->title,
		.url = ret->url,
	};
	if (*plan->set.cmdline) {
		if (ipxe_cmdline_is_safe(ret->cmdline, &unsafe)) {
			ret->script.cmdline = ret->cmdline;
		} else {
			/* What iPXE would change goes into the file. */
			problem =
				image_why_not_splice(plan->image, ret->cmdline);
			if (problem) {
				say(ret, plan, unsafe);
				return;
			}
			spliced = true;
		}
	}
	if (!put_url(world, client, plan, spliced, "", ret->url))
		say(ret, plan, "its URL is too long");
}

void decide_script(const struct decide_world *world,
	const struct client *client, const struct plan *plan,
	struct script_plan *ret)
{
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->title, sizeof(ret->title), "%s for %s",
		plan->set.mode == CONFIG_MODE_LOCAL ? "its own disk"
		: plan->set.image		    ? plan->set.image
						    : "nothing",
		plan->machine ? plan->machine->name : "an unknown machine");
	if (plan->set.mode == CONFIG_MODE_LOCAL) {
		ret->script = (struct ipxe_script){
			.kind = IPXE_SCRIPT_LOCAL,
			.title = ret->title,
		};
		return;
	}
	if (plan->kind == PLAN_SILENCE)
		say(ret, plan, plan->reason);
	else if (plan->image_problem)
		say(ret, plan, plan->image_problem);
	else if (decide_is_elsewhere(&plan->set))
		script_url(plan, ret);
	else if (!decide_cmdline(plan->image, &plan->set, ret->cmdline))
		say(ret, plan, "the command line is too long");
	else if (client->arch == ARCH_BIOS)
		script_kernel(world, client, plan, ret);
	else
		script_chain(world, client, plan, ret);
	ret->script.vlan = (uint16_t)plan->set.vlan;
}
