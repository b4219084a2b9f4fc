doctor says what can be traced, and with what.
options: doctor
--- stdout has
^duotrace .* on linux
^eBPF: yes$
^  capabilities +\S
^  ring buffers +yes$
^libdtrace: (yes|no: cannot load libdtrace: )
^preprocessor \(-C\): (yes|no)
