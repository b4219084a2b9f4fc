A description that matches nothing is an error.
options: -q
status: 1
--- script
nosuch:::probe { n++; }
--- stderr
script\.d.*nosuch:::probe
