A clause without a body traces that the probe fired.
program: hits 1 2
options: -n 'hits$target:::tick'
--- stdout regex
CPU     ID                    FUNCTION:NAME
 +\d+ +\d+ +run:tick *
 +\d+ +\d+ +run:tick *
