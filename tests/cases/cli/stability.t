-v says how stable what a script names is: the least of its probe descriptions and of its statements, and with -e of each
description, with its arguments.
needs: bpf
options: -v -e
--- script
#pragma D option quiet
dtrace:::BEGIN { trace(curthread); exit(0); }
syscall::read:entry { trace(pid); }
--- stdout regex

Stability attributes for script .*:

	Minimum Probe Description Attributes
		Identifier Names: Private
		Data Semantics:   Private
		Dependency Class: ISA

	Minimum Statement Attributes
		Identifier Names: Stable
		Data Semantics:   Private
		Dependency Class: Common

dtrace:::BEGIN

	Probe Description Attributes
		Identifier Names: Stable
		Data Semantics:   Stable
		Dependency Class: Common

	Argument Attributes
		Identifier Names: Stable
		Data Semantics:   Stable
		Dependency Class: Common

	Argument Types
		None


syscall::read:entry

	Probe Description Attributes
		Identifier Names: Private
		Data Semantics:   Private
		Dependency Class: ISA

	Argument Attributes
		Identifier Names: Private
		Data Semantics:   Private
		Dependency Class: ISA

	Argument Types
		args\[0\]: int
		args\[1\]: char \*
		args\[2\]: size_t
