#!/bin/sh
# The arrows between the layers: daemon -> config -> proto, and nothing back.
#
# Prints each include that breaks a rule; the exit status is 1 if there is one.
# Also: includes of ours are written from the root, and a header's guard is
# made of its path.
set -eu
cd "$(dirname "$0")/../.."

# shellcheck disable=SC2016 # what looks like the shell's is awk's
find proto config daemon -name '*.[ch]' -exec awk '
	BEGIN {
		# What the files of a directory may include of ours; of the
		# configuration, the daemon knows the value and not the making.
		ours["proto"] = "^proto/"
		ours["config"] = "^(config|proto)/"
		common = "proto/|config/(config|names)\\.h$"
		ours["daemon"] = "^(daemon/|" common ")"
		# The parts of the daemon, each on those before it. What they
		# are handed is in netuki.h.
		base = "daemon/base/|" common
		ours["daemon/base"] = "^(" base ")"
		images = "daemon/images/|" base
		ours["daemon/images"] = "^(" images ")"
		policy = "daemon/policy/|daemon/netuki\\.h$|" images
		ours["daemon/policy"] = "^(" policy ")"
		serve = "daemon/boots/journal\\.h$|" policy
		ours["daemon/dhcp"] = "^(daemon/dhcp/|" serve ")"
		ours["daemon/tftp"] = "^(daemon/tftp/|" serve ")"
		ours["daemon/http"] = "^(daemon/http/|daemon/metrics\\.h$|" serve ")"
		ours["daemon/boots"] = "^(daemon/boots/|" serve ")"
		ours["daemon/control"] = ours["daemon"]
		# netukictl is a program of its own and links no daemon.a.
		ours["daemon/ctl"] = "^(daemon/ctl|proto)/|^config/(config|names)\\.h$"
		ours["daemon/ctl/bench"] = ours["daemon/ctl"]
		# No clock, no allocation, no input and output, no errno.
		only["proto"] = "^(limits|stdbool|stddef|stdint|string)\\.h$"
		never["config"] = "^(event2?/|netlink/|jansson|sys/socket)"
		split("/ /base /images /policy /dhcp /tftp /http /boots /control", parts, " ")
		for (n in parts) {
			part = "daemon" parts[n]
			sub(/\/$/, "", part)
			never[part] = "^yaml"
		}
		never["daemon/ctl"] = "^(event2?/|netlink/|yaml)"
		never["daemon/ctl/bench"] = never["daemon/ctl"]
	}
	function complain(text) {
		printf "%s:%d: %s\n", FILENAME, FNR, text
		bad = 1
	}
	FNR == 1 {
		dir = FILENAME
		sub(/\/[^\/]*$/, "", dir)
		guard = toupper(FILENAME)
		gsub(/[^A-Z0-9]/, "_", guard)
		if (!(dir in ours))
			complain("no rule for the directory " dir)
		if (FILENAME ~ /\.h$/)
			unguarded[FILENAME] = 1
	}
	(FILENAME in unguarded) && $1 == "#ifndef" {
		if ($2 != guard)
			complain("the guard is " $2 ", wanted is " guard)
		delete unguarded[FILENAME]
	}
	$1 == "#include" && $2 ~ /^"/ {
		name = substr($2, 2, length($2) - 2)
		if (name !~ ours[dir])
			complain(dir " may not include " name)
		else if ((getline line < name) < 0)
			complain(name " is not a path from the root")
		close(name)
	}
	$1 == "#include" && $2 ~ /^</ {
		name = substr($2, 2, length($2) - 2)
		if (((dir in only) && name !~ only[dir]) ||
			((dir in never) && name ~ never[dir]))
			complain(dir " may not include <" name ">")
	}
	END {
		for (name in unguarded) {
			print name ": no include guard"
			bad = 1
		}
		exit bad
	}' {} +
