An aggregation's keys have one type.
options: -q -xerrtags
needs: nothing
status: 1
--- script
BEGIN { @a[1] = count(); @a["x"] = count(); }
--- stderr
\[D_PROTO_ARG\] line 1: @a\[ \] key #1 is incompatible with prototype:$
	prototype: int$
	 argument: string$
