A user stack in sched:::on-cpu would be that of the thread that leaves: it is refused.
options: -q
status: 1
--- script
sched:::on-cpu { @[ustack()] = count(); }
--- stderr
ustack\(\) of a thread that is only about to run is not supported yet by the ebpf backend
