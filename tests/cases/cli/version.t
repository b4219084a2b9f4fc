-V tells the version of D.
options: -V
needs: nothing
--- stdout has
D [0-9.]+
