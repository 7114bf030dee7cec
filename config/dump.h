/* dump: a configuration as text again. */
#ifndef CONFIG_DUMP_H
#define CONFIG_DUMP_H

#include "config/config.h"

/*
 * All of it, defaults and inclusions too, as YAML that makes an equal
 * configuration. For free(); NULL: out of memory.
 */
char *config_dump(const struct config *config);

#endif
