-l lists the USDT probes of a process.
options: -l -P 'hits%{pid}'
before: hits 1 1 wait
--- stdout has
hits%{pid} +hits +run tick$
