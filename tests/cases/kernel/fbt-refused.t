Where the kernel's functions cannot be probed, a description of one says why.
options: -q
needs: no functions
status: 1
--- script
fbt::vfs_write:entry { n++; }
--- stderr
this kernel cannot probe its functions: neither by fentry \(.*\), nor by kprobe_multi \(.*\), nor by kprobes \(.*CONFIG_KPROBE_EVENTS
