/*
 * control: any lines as requests, one after the other, to a daemon with some
 * machines. Each has an answer that can be sent; a command with a mistake in
 * it changes nothing; what is remembered is of the configuration's machines
 * and of images that are there.
 *
 * Run it from the top of the tree: its image and its loader are seeds of uki.
 */
#include <event2/event.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/netif.h"
#include "daemon/base/worker.h"
#include "daemon/boots/history.h"
#include "daemon/control/control_boots.h"
#include "daemon/control/control_json.h"
#include "daemon/control/control_task.h"
#include "daemon/images/images.h"
#include "daemon/images/loaders.h"
#include "daemon/policy/state.h"

#define CHECK(holds)                                                           \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)
#define LINES	 64 /* of an input */
#define MACHINES 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
	"interfaces: [lo]\n"
	"loaders: {x64: corpus/uki/app-signed}\n"
	"defaults: {image: x.efi, cmdline: all}\n"
	"groups:\n"
	"  - {name: rack, mode: tftp-uki, vlan: 7, files: {f: corpus/x}}\n"
	"machines:\n"
	"  - {name: a, mac: 52:54:00:00:00:01, cmdline: more}\n"
	"  - {name: b, mac: 52:54:00:00:00:02, group: rack}\n"
	"  - {name: c, mac-prefix: '52:54:01', mode: local}\n"
	"  - {serial: S1, mode: alternate, image: y.efi}\n"
	"  - {name: e, uuid: 11223344-5566-7788-99aa-bbccddeeff00}\n"
	"  - {name: f, mac: 52:54:00:00:00:06,\n"
	"     url: 'http://10.0.0.1/x.efi'}\n";

static struct image *catalogue[2];
static struct images images = {.n = 2, .image = catalogue};
static struct netuki netuki = {.images = &images};

/* Two that asked, one of them of the configuration. */
static void meet(uint8_t last)
{
	struct mac mac = {{0x52, 0x54, 0, 0, 0, last}};
	struct client_record *r = clients_touch(netuki.clients, &mac, 1);

	CHECK(r);
	r->reason = "it asked";
	r->arch = ARCH_X64;
}

static void prepare(void)
{
	static const struct history_limits limits = {1, 1};
	struct config_report report;

	config_report_init(&report);
	netuki.config = config_load_text(
		"tests/fuzz/netuki.yaml", text, strlen(text), &report);
	CHECK(netuki.config && netuki.config->n_machines < MACHINES);
	netuki.loaders = loaders_new(netuki.config, false, NULL, &report);
	config_report_done(&report);
	netuki.base = event_base_new();
	netuki.clients = clients_new();
	catalogue[0] =
		image_open("tests/fuzz/corpus/uki/uki-bootable", "x.efi");
	catalogue[1] = image_new_refused("y.efi", "it is none");
	CHECK(netuki.loaders && netuki.base && netuki.clients);
	CHECK(catalogue[0] && catalogue[1]);
	CHECK(catalogue[0]->state == IMAGE_STATE_READY);
	CHECK(netifs_new(NULL, netuki.config, &netuki.netifs) == 0);
	/* It knows where it would be; nobody looks there. */
	netuki.history = history_new(netuki.base, NULL, "/dev/null", &limits);
	CHECK(netuki.history);
	meet(1);
	meet(9);
}

static void check_sendable(json_t *value)
{
	char *line = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII);

	CHECK(line && !strchr(line, '\n'));
	free(line);
}

static void check_list(struct control_list *list)
{
	json_t *one;

	for (size_t n = 0; list && list->next(list, &one); n++) {
		CHECK(one && n < LINES * MACHINES * 1024);
		if (!json_is_null(one))
			check_sendable(one);
		json_decref(one);
	}
	control_list_free(list);
}

static void check_state(void)
{
	for (size_t i = 0; i < state_count(netuki.state); i++) {
		const struct state_machine *m = state_at(netuki.state, i);
		const struct image *image;

		CHECK(config_find_name(netuki.config, m->name));
		CHECK(m->mode < CONFIG_MODE_MAX);
		CHECK(m->once || m->mode != CONFIG_MODE_UNSET);
		CHECK(m->once || !m->once_image[0]);
		CHECK(m->once_mode == CONFIG_MODE_UNSET ||
			m->once_mode == CONFIG_MODE_IPXE ||
			m->once_mode == CONFIG_MODE_TFTP_UKI);
		image = m->once_image[0]
				? images_find_any(&images, m->once_image)
				: catalogue[0];
		CHECK(image && image->state == IMAGE_STATE_READY);
	}
}

static void on_answer(void *arg, const char *answer)
{
	(void)arg, (void)answer;
	abort(); /* no thread runs, and it is cancelled */
}

static void ask_history(const json_t *request)
{
	json_t *error = NULL;
	struct control_query *query =
		control_boots_ask(&netuki, request, on_answer, NULL, &error);

	CHECK(!query == !!error);
	if (query)
		control_boots_cancel(query);
	else
		check_sendable(error);
	json_decref(error);
}

/* The answer of a command that takes some turns. */
static json_t *work_off(struct control_task *task, struct control_list **list)
{
	json_t *answer = NULL;

	for (int turn = 0; !answer; turn++) {
		CHECK(turn < 16);
		answer = task->step(task, list);
	}
	task->free(task);
	return answer;
}

static void ask(json_t *request)
{
	struct state_machine before[MACHINES];
	enum config_mode mode = state_mode_for_all(netuki.state);
	bool local = state_all_includes_local(netuki.state);
	size_t n = state_count(netuki.state);
	struct control_list *list = NULL;
	struct control_task *task = NULL;
	json_t *answer;

	CHECK(n < MACHINES);
	for (size_t i = 0; i < n; i++)
		before[i] = *state_at(netuki.state, i);
	answer = control_answer(&netuki, request, &list, &task);
	CHECK(!answer == !!task);
	if (task)
		answer = work_off(task, &list);
	CHECK(json_is_object(answer));
	check_sendable(answer);
	check_state();
	if (!json_is_true(json_object_get(answer, "changed"))) {
		CHECK(mode == state_mode_for_all(netuki.state));
		CHECK(local == state_all_includes_local(netuki.state));
		CHECK(n == state_count(netuki.state));
		for (size_t i = 0; i < n; i++)
			CHECK(memcmp(&before[i], state_at(netuki.state, i),
				      sizeof(before[i])) == 0);
	}
	if (json_object_get(answer, "error"))
		CHECK(!list && !json_object_get(answer, "changed"));
	json_decref(answer);
	check_list(list);
}

/* As control's serve() does, but for what asks the running services. */
static void serve(const char *line)
{
	json_t *request = json_loads(line, 0, NULL);
	const char *command = control_text(request, "command");

	if (request && control_boots_is(request))
		ask_history(request);
	else if (request && (!command || strcmp(command, "status") != 0))
		ask(request);
	json_decref(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *end = p + size;

	if (!netuki.config)
		prepare();
	/* Anew, so that no input depends on what came before. */
	netuki.worker = worker_new(netuki.base);
	CHECK(netuki.worker);
	CHECK(state_new(NULL, NULL, NULL, &netuki.state) == 0);
	for (int i = 0; i < LINES && p < end; i++) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((eol ? eol : end) - p);
		char *line = strndup(p, len);

		CHECK(line);
		serve(line);
		free(line);
		p += len + 1;
	}
	state_free(netuki.state);
	worker_free(netuki.worker);
	return 0;
}
