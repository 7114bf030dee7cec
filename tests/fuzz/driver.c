/*
 * Replays inputs through a fuzz target without libFuzzer: each argument is a
 * file, so that corpora and crashes are regression tests too.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t len = 0, cap = 0;

	if (!file) {
		perror(path);
		return -1;
	}
	do {
		if (len == cap) {
			uint8_t *more = realloc(data, cap = cap * 2 + 4096);

			if (!more)
				abort();
			data = more;
		}
		len += fread(data + len, 1, cap - len, file);
	} while (!feof(file) && !ferror(file));
	fclose(file);
	/* A copy of the very size: reading past it is seen by ASan. */
	data = realloc(data, len ? len : 1);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	printf("%d inputs replayed\n", argc - 1);
	return failed ? 1 : 0;
}
