-l lists functions of a process with -p.
options: -l -p %{pid} -n 'pid$target:hits:wo*:entry'
before: hits 1 1 wait
--- stdout has
pid%{pid} +hits +work entry$
