-x explain says at the end what each probe cost, by the instruction it stands on.
options: -q -xexplain
program: hits 1 500
--- script
hits$target:::tick { @ = count(); }
pid$target::work:entry /arg0 < 0/ { @ = count(); }
--- stdout

              500

--- stderr
PROBE +SITES INSTRUCTION +INSNS +FIRINGS +NS RUN +NS ALL +% CPU
hits\d+:hits:run:tick +\d+ \S+ +\d+ +500 +\d+ +\d+ +[\d.]+
pid\d+:hits:work:entry +1 \S+ +\d+ +500 +\d+ +\d+ +[\d.]+
