-l with a glob in the function.
options: -l -n 'syscall::nano*:'
--- stdout has
syscall .* nanosleep entry$
syscall .* nanosleep return$
