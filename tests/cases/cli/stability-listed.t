-l -v says how stable a probe is, too.
options: -l -v -n tick-1s
--- stdout regex
   ID   PROVIDER            MODULE                          FUNCTION NAME
 +\d+    profile +tick-1s

	Probe Description Attributes
		Identifier Names: Evolving
		Data Semantics:   Evolving
		Dependency Class: Common

	Argument Attributes
		Identifier Names: Evolving
		Data Semantics:   Evolving
		Dependency Class: Common

	Argument Types
		None
