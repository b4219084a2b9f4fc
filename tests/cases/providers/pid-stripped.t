A function without a symbol cannot be traced by name: the message says what was looked for.
options: -q
program: hits-stripped 1 1
status: 1
--- script
pid$target:hits-stripped:work:entry { n++; }
--- stderr
work
