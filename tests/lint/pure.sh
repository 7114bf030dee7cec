#!/bin/sh
# proto/ is pure: what its archive takes from elsewhere is a few functions on
# memory and text, and it keeps nothing between calls.
#
#	tests/lint/pure.sh [BUILD]
#
# Prints what breaks that; the exit status is 1 if anything does, 77 if there
# is no archive in BUILD ($NETUKI_BUILD, build).
set -eu
cd "$(dirname "$0")/../.."
archive=${1:-${NETUKI_BUILD:-build}}/proto.a
bad=0

if [ ! -e "$archive" ]; then
	echo "$archive is not built"
	exit 77
fi

# What a sanitizer or the counting of coverage calls is the build's, not the
# source's, and so is the table of position-independent code.
nm -A "$archive" | awk '
	BEGIN {
		split("memcpy memmove memset memcmp memchr strlen strcmp " \
			"strncmp strchr strnlen __memcpy_chk __memmove_chk " \
			"__memset_chk __stack_chk_fail _GLOBAL_OFFSET_TABLE_",
			names)
		for (i in names)
			known[names[i]] = 1
	}
	$(NF - 1) !~ /^[Uvw]$/ { known[$NF] = 1 }
	$(NF - 1) ~ /^[Uvw]$/ && !/__(asan|ubsan|sanitizer|sancov|gcov|llvm)_/ {
		split($1, part, ":")
		users[$NF] = users[$NF] " " part[2]
	}
	END {
		for (name in users)
			if (!(name in known)) {
				print "proto/ calls " name ":" users[name]
				bad = 1
			}
		exit bad
	}' || bad=1

# Those also give variables of their own to every object.
if ! nm -u "$archive" | grep -Eq '__(asan|gcov|llvm)_'; then
	objdump -h "$archive" | awk '
		/file format/ { object = $1 }
		$2 ~ /^\.(data|bss|tdata|tbss)$/ && $3 !~ /^0+$/ {
			print object " keeps state: " $2 " is not empty"
			bad = 1
		}
		END { exit bad }' || bad=1
fi
exit $bad
