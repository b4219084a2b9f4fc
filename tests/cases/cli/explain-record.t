-x explain says also what a recorded run has cost.
options: -q -xexplain --record %{tmp}/explained.dtr
program: hits 1 500
--- script
hits$target:::tick { @ = count(); }
--- stdout

              500

--- stderr
PROBE +SITES INSTRUCTION +INSNS +FIRINGS +NS RUN +NS ALL +% CPU
hits\d+:hits:run:tick +\d+ \S+ +\d+ +500 +\d+ +\d+ +[\d.]+
dtrace: recorded 500 events to \S+
