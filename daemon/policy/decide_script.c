#include <stdio.h>
#include <string.h>

#include "daemon/policy/decide_url.h"

/* "http://BASE/images/NAME" and what follows it. */
static bool put_url(const struct decide_world *world,
	const struct client *client, const struct plan *plan, bool spliced,
	const char *part, char ret[PLAN_FILE_MAX])
{
	struct wire_writer w;

	wire_writer_init(&w, ret, PLAN_FILE_MAX);
	decide_url_put_base(&w, world->config, client);
	wire_put_text(&w, "/");
	decide_url_put_folder(&w, client, plan, spliced);
	decide_url_put_name(&w, plan->image->name);
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
