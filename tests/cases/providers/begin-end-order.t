BEGIN comes first, END last, each once.
options: -q
--- script
END { printf("end\n"); }
tick-1ms { printf("tick\n"); exit(0); }
BEGIN { printf("begin\n"); }
--- stdout
begin
tick
end
