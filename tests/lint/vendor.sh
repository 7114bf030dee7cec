#!/bin/sh
# What is of others is what they published: packaging/vendor/SHA256SUMS has
# the digest of each file there, and each file is what it says.
#
# Prints what is not; the exit status is 1 if anything is not.
set -eu
cd "$(dirname "$0")/../../packaging/vendor"
bad=0

sha256sum --check --strict --quiet SHA256SUMS || bad=1
for file in *; do
	if [ "$file" != SHA256SUMS ] && ! grep -q "  $file\$" SHA256SUMS; then
		echo "SHA256SUMS: no digest of $file"
		bad=1
	fi
done
# The page is whole only as long as nothing in it ends its elements.
if grep -nEi '</script|<!--' d3.js plot.js; then
	echo "this would end the script element of the page"
	bad=1
fi
exit $bad
