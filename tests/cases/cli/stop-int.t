SIGINT ends the tracing: END runs, and all is printed.
options: -q -xswitchrate=10ms
stop: INT
--- script
BEGIN { printf("armed\n"); @ = sum(5); }
END { printf("end\n"); }
--- stdout
armed

end

                5
