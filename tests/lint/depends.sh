#!/bin/sh
# What `make deb` installs is what the package says that it is built with:
# packaging/dependencies and Build-Depends of packaging/debian/control agree.
#
# Prints what is missing; the exit status is 1 if anything is.
set -eu
cd "$(dirname "$0")/../.."

awk '
	FNR == 1 { file++ }
	file == 1 && /^[^#]/ {
		listed[$1] = ""
		for (i = 2; i <= NF; i++)
			if ($i == "build" || $i == "deb")
				listed[$1] = $i
	}
	file == 2 && /^[A-Z]/ { here = /^Build-Depends:/ }
	file == 2 && here {
		sub(/^Build-Depends:/, "")
		gsub(/\(.*\)|<.*>|,|:any/, "")
		# Both are debhelper by other names.
		if ($1 !~ /^(debhelper-compat|dh-sequence-.*)$/)
			wanted[$1] = 1
	}
	END {
		# Debian takes these for granted.
		split("gcc make libc6-dev", essential)
		for (i in essential)
			wanted[essential[i]] = 1
		for (name in listed)
			if (listed[name] == "build" && !(name in wanted)) {
				print "debian/control: no Build-Depends: " name
				bad = 1
			}
		for (name in wanted)
			if (listed[name] == "") {
				print "packaging/dependencies: not in the " \
					"groups build or deb: " name
				bad = 1
			}
		exit bad
	}' packaging/dependencies packaging/debian/control
