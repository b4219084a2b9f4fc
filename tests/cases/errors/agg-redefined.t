An aggregation has one function.
options: -q -xerrtags
needs: nothing
status: 1
--- script
BEGIN { @a = count(); @a = sum(1); }
--- stderr
\[D_AGG_REDEF\] line 1: aggregation redefined: @a$
\t current: @a = sum\( \)
\tprevious: @a = count\( \)
