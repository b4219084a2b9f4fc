-F indents by entry and return.
options: -F
program: hits 1 2
--- script
pid$target:hits:run:entry, pid$target:hits:work:entry, pid$target:hits:run:return, pid$target:hits:work:return { }
--- stdout regex
CPU FUNCTION *
 +\d+  -> run *
 +\d+    -> work *
 +\d+    <- work *
 +\d+    -> work *
 +\d+    <- work *
 +\d+  <- run *
