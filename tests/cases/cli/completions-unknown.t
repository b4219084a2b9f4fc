A shell that is not known is a mistake.
options: completions csh
needs: nothing
status: 2
--- stderr
Usage: duotrace completions bash|elvish|fish|powershell|zsh
