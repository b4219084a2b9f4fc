#!/bin/sh
# fold.sh - the output of profile.d (or of any script whose stacks stand between a name and a count) as folded stacks:
# NAME;OUTERMOST;...;INNERMOST COUNT, which flamegraph.pl and speedscope read.
#
# Usage:     profile.d COMMAND | fold.sh > stacks.folded
exec awk '
	NF == 0 { next }
	name == "" { name = $0; next }
	/^[ \t]*[0-9]+$/ {
		line = name
		while (depth > 0) line = line ";" frame[depth--]
		print line, $1
		name = ""
		next
	}
	{
		sub(/^[ \t]+/, "")
		sub(/\+0x[0-9a-f]+$/, "")
		gsub(/;/, ":")
		frame[++depth] = $0
	}'
