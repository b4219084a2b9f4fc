SIGHUP as well.
options: -q -xswitchrate=10ms
stop: HUP
--- script
BEGIN { printf("armed\n"); }
END { printf("end\n"); }
--- stdout
armed

end
