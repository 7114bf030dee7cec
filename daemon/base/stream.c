#include "daemon/base/stream.h"

#include <stdlib.h>

char *stream_end(FILE *out, char **text)
{
	int failed;

	if (!out)
		return NULL;
	failed = fflush(out) || ferror(out);
	/* It shrinks the text, which can fail as well: *text is NULL then. */
	fclose(out);
	if (!failed)
		return *text;
	free(*text);
	return NULL;
}
