trace() prints in columns, after the probe's, where the tracer is not quiet.
--- script
BEGIN { trace(42); trace("text"); exit(0); }
--- stdout regex
CPU     ID                    FUNCTION:NAME
 +\d+ +1 +:BEGIN +42 +text *
