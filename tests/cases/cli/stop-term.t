SIGTERM ends the tracing as SIGINT does.
options: -q -xswitchrate=10ms
stop: TERM
--- script
BEGIN { printf("armed\n"); }
END { printf("end\n"); }
--- stdout
armed

end
