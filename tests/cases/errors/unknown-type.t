A cast to a type that does not exist: the message names it.
needs: nothing
status: 1
--- script
BEGIN { trace(((nosuch_t *)0)->member); exit(0); }
--- stderr
line 1: syntax error near "\)" \(there is no type nosuch_t\)
