Without -q each record has CPU, ID and FUNCTION:NAME.
program: hits 1 1
--- script
pid$target:hits:work:entry { printf("%s", probefunc); }
--- stdout regex
CPU     ID                    FUNCTION:NAME
 +\d+ +\d+ +work:entry work
