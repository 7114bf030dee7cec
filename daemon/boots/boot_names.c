#include "daemon/boots/boots.h"

const char *boot_at_name(enum boot_at at)
{
	static const char *const names[] = {
#define AT(NAME, name) [BOOT_AT_##NAME] = name,
#include "daemon/boots/boots.def"
#undef AT
	};

	return names[at];
}

static const struct step_row {
	const char *name;
	enum boot_at begin, end;
	const char *hint;
} steps[] = {
#define STEP(NAME, name, begin, end, hint)                                     \
	[BOOT_STEP_##NAME] = {name, BOOT_AT_##begin, BOOT_AT_##end, hint},
#include "daemon/boots/boots.def"
#undef STEP
};

const char *boot_step_name(enum boot_step step)
{
	return steps[step].name;
}

const char *boot_step_hint(enum boot_step step)
{
	return steps[step].hint;
}

const char *boot_reason(const struct boot *boot)
{
	return boot->why[0] ? boot->why : boot_step_hint(boot->step);
}

enum boot_at boot_step_begin(enum boot_step step)
{
	return steps[step].begin;
}

enum boot_at boot_step_end(enum boot_step step)
{
	return steps[step].end;
}

const char *boot_outcome_name(enum boot_outcome outcome)
{
	static const char *const names[] = {
#define OUTCOME(NAME, name) [BOOT_OUTCOME_##NAME] = name,
#include "daemon/boots/boots.def"
#undef OUTCOME
	};

	return names[outcome];
}

const char *boot_mode_name(enum boot_mode mode)
{
	static const char *const names[BOOT_MODE_MAX] = {
		NULL, "ipxe", "tftp-uki", "http", "local"};

	return names[mode];
}
