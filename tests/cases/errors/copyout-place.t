copyout() where no process can be stopped at once is refused.
options: -q -w
status: 1
--- script
profile-100 { copyoutstr("x", 8, 2); }
--- stderr
copyout\(\) outside of probes of processes and system calls is not supported yet by the ebpf backend
