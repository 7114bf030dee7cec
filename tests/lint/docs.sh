#!/bin/sh
# What users read is about the program that there is: every key, command,
# option, event, metric and word of JSON is in its manual page, and the shipped
# configuration shows every key with its default, and is right.
#
#	tests/lint/docs.sh [BUILD]
#
# Prints what is missing; the exit status is 1 if anything is, 77 if the
# programs are not in BUILD ($NETUKI_BUILD, build).
set -eu
cd "$(dirname "$0")/../.."
build=${1:-${NETUKI_BUILD:-build}}
keys=packaging/man/netuki.yaml.5
tool=packaging/man/netukictl.1
daemon=packaging/man/netukid.8
sample=packaging/netuki.yaml
completion=packaging/completion/netukictl

for program in netukid netukictl; do
	if [ ! -x "$build/$program" ]; then
		echo "$build/$program is not built"
		exit 77
	fi
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0

missing()
{
	echo "$*"
	bad=1
}

# Each word of file $1 has to be found in file $2 by pattern $3, in which @
# stands for the word.
all_in()
{
	[ -s "$1" ] || missing "nothing to look for: $1"
	while read -r word; do
		grep -Eq -- "$(echo "$3" | sed "s/@/$word/g")" "$2" ||
			missing "$2: $word"
	done <"$1"
}

# The rows of schema.def: section, key and default, "-" if it has none.
schema_rows()
{
	tr '\n' ' ' <config/schema.def | sed 's/KEY/\n&/g' | sed -nE '
		s/^KEY(_AT)?\(([A-Z]+), "([^"]*)", [A-Z0-9_]+, (.*)$/\2 \3 \4/
		T
		/^SECTION /d
		s/^([^ ]+ [^ ]+) [^"]*[0-9], "([^"]*)", .*/\1 \2/
		t row
		s/^([^ ]+ [^ ]+) .*/\1 -/
		: row
		p'
}

# What a section of schema.def is called in netuki.yaml(5) and in the sample.
title_of()
{
	case $1 in
	TOP) echo "Top level" ;;
	SETTINGS) echo defaults ;;
	MACHINE) echo machines ;;
	GROUP) echo groups ;;
	*) echo "$1" | tr '[:upper:]' '[:lower:]' ;;
	esac
}

# Is key $2 an item below title $1, and does it say that $3 is the default?
in_manual()
{
	awk -v title=".Ss $1" -v key=".It Cm $2 :" -v preset=".Ql $3" '
		/^\.S[sh] / { here = $0 == title }
		/^\.Bl / { depth++ }
		/^\.El/ { depth-- }
		/^\.It / && depth == 1 { item = here && index($0, key) == 1 }
		item { found = 1 }
		item && index($0 " ", preset " ") == 1 { said = 1 }
		END { exit !(found && (said || preset == ".Ql -")) }' $keys
}

# The sample with its settings, "#key" and what belongs to one, switched on.
sample_on()
{
	sed -E 's/^( *)#($|- |  +|[a-z])/\1\2/' $sample
}

# Does the sample have key $2 below title $1, with value $3?
in_sample()
{
	awk -v title="$1" -v key="$2:" -v preset="$3" '
		/^ *#/ { next }
		{ here = top }
		/^[a-z]/ {
			top = $1
			here = "Top level:"
		}
		{ sub(/^ *- /, "  ") }
		here == title ":" && $1 == key {
			value = $0
			sub(/^[^:]*: */, "", value)
			if (preset == "-" || value == preset)
				found = 1
		}
		END { exit !found }' "$tmp/on.yaml"
}

sample_on >"$tmp/on.yaml"
schema_rows >"$tmp/rows"
[ "$(wc -l <"$tmp/rows")" -ge 20 ] || missing "schema.def: no rows found"
while read -r section key preset; do
	title=$(title_of "$section")
	in_manual "$title" "$key" "$preset" ||
		missing "$keys: $title: $key (default: $preset)"
	in_sample "$title" "$key" "$preset" ||
		missing "$sample: $title: $key (default: $preset)"
done <"$tmp/rows"

sed -nE 's/^ARCH\([A-Z0-9]+, "([^"]+)".*/\1/p' proto/arch.def >"$tmp/words"
all_in "$tmp/words" $keys '(Cm|,) @( |$)|Cm @$'
all_in "$tmp/words" $sample '[ ,]@([,.]|$)'
all_in "$tmp/words" $completion '(^|[^a-z0-9])@($|[^a-z0-9])'

# Every command's help, and the program's own, in which a command stands after
# two blanks.
options_of()
{
	grep -Eo -- '--[a-z][a-z0-9-]+' "$1" | sed 's/^--//' | sort -u
}
"$build/netukictl" --help >"$tmp/help"
sed -nE 's/^  ([a-z][a-z-]*)( .*)?$/\1/p' "$tmp/help" >"$tmp/commands"
while read -r command; do
	"$build/netukictl" "$command" --help >"$tmp/one"
	cat "$tmp/one" >>"$tmp/help"
	# What it takes is completed after it, and nothing else.
	grep -E '^  --' "$tmp/one" >"$tmp/taken"
	options_of "$tmp/taken" >"$tmp/taken.words"
	# shellcheck disable=SC2016 # for the shell that is called
	bash -c '. "$1"; _netukictl_options "$2"' bash $completion "$command" \
		>"$tmp/offered"
	options_of "$tmp/offered" | cmp -s - "$tmp/taken.words" ||
		missing "$completion: the options of $command"
done <"$tmp/commands"
all_in "$tmp/commands" $tool '^\.It Cm @( |$)'
all_in "$tmp/commands" $completion ' @( |\)|$)'
options_of "$tmp/help" >"$tmp/words"
all_in "$tmp/words" $tool '^\.It (.*, )?Fl -@( |$)'
all_in "$tmp/words" $completion ' --@( |\)|$)'
"$build/netukid" --help >"$tmp/help"
options_of "$tmp/help" >"$tmp/words"
all_in "$tmp/words" $daemon '^\.It (.*, )?(Fl )?-@( |$)'

# Words that programs read: events, keys and values of JSON, metrics.
# (The words of log lines are not among them.)
{
	grep -Eoh '"[a-z][a-z0-9-]+"' daemon/boots/journal.def daemon/control/control_*.c \
		daemon/images/image_json.c
	grep -Eoh '^(AT|STEP|OUTCOME)\([A-Z_]+, "[a-z_]+"' daemon/boots/boots.def |
		sed 's/.*, //'
	sed -nE 's/^COLUMN\(("[a-z_]+").*/\1/p' daemon/boots/history.def |
		sed 's/_us"/_seconds"/; s/_/-/g'
} | tr -d '"' | sort -u |
	grep -Evx 'both|cancelled|cleared|set' >"$tmp/words"
all_in "$tmp/words" $tool '(^| )-?@( |$)'
grep -Eo '"netuki_[a-z_]+"' daemon/metrics.c | tr -d '"' >"$tmp/words"
all_in "$tmp/words" $daemon '^\.(It )?Va @$'

# As it is shipped it has nothing to say; switched on, only what is not there.
cp $sample "$tmp/shipped.yaml"
mkdir "$tmp/machines.d"
"$build/netukid" --check --config "$tmp/shipped.yaml" >/dev/null 2>"$tmp/said" ||
	missing "$sample is wrong"
cat "$tmp/said"
# (An image has a name or a URL.)
grep -v '^  url: ' "$tmp/on.yaml" >"$tmp/checked.yaml"
"$build/netukid" --check --config "$tmp/checked.yaml" >/dev/null 2>"$tmp/said" || true
if grep -E -v -e ': image: .* is not in |: loader .*: No such' \
	-e ': there is no |: files: .* is not there' "$tmp/said"; then
	missing "$sample, with all settings switched on"
fi

exit $bad
