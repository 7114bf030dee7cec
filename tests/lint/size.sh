#!/bin/sh
# Sizes: a .c file has at most 600 lines, a header 200, a function 70.
#
# Prints what is longer; the exit status is 1 if anything is.  A file
# tests/lint/size.exceptions may allow more, a line each:
#
#	FILE LINES		for a file
#	FILE:FUNCTION LINES	for a function
#
# An exception that is not needed is an error, too.
set -eu
cd "$(dirname "$0")/../.."
exceptions=tests/lint/size.exceptions
[ -e "$exceptions" ] || exceptions=/dev/null

# A function begins where its declaration does and ends with a "}" in the first
# column; clang-format sees to it that nothing else looks like that.
# shellcheck disable=SC2016 # what looks like the shell's is awk's
find proto config daemon tests -name '*.[ch]' -exec awk \
	-v exceptions="$exceptions" '
	BEGIN {
		while ((getline line < exceptions) > 0) {
			if (line ~ /^[ \t]*(#|$)/)
				continue
			split(line, part)
			allowed[part[1]] = part[2] + 0
		}
	}
	function measure(what, lines, limit) {
		if (lines <= limit)
			return
		if (what in allowed && lines <= allowed[what]) {
			needed[what] = 1
			return
		}
		if (what in allowed)
			limit = allowed[what]
		print what ": " lines " lines, at most " limit
		bad = 1
	}
	function end_file() {
		if (file != "")
			measure(file, lines, file ~ /\.h$/ ? 200 : 600)
	}
	FNR == 1 {
		end_file()
		file = FILENAME
		begin = 0
	}
	{ lines = FNR }
	/^[a-z_]/ && !begin {
		begin = FNR
		name = ""
	}
	begin && !name && match($0, /[a-z_0-9]+\(/) {
		name = substr($0, RSTART, RLENGTH - 1)
	}
	# A declaration, not a function.
	begin && !body && /;[ \t]*$/ { begin = 0 }
	/^\{$/ { body = 1 }
	/^\}/ {
		if (begin && body)
			measure(FILENAME ":" name, FNR - begin + 1, 70)
		begin = body = 0
	}
	END {
		end_file()
		for (what in allowed)
			if (!(what in needed)) {
				print "size.exceptions: " what " needs none"
				bad = 1
			}
		exit bad
	}' {} +
