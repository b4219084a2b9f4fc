-x oformat=json writes one object a line, aggregations with typed keys and an exit line last.
options: -xoformat=json -n 'BEGIN { @a["k", 5] = sum(7); printf("%d", 3); exit(2); }'
status: 2
--- stdout regex
\{"schema":1,"type":"record",.*"text":"3","values":\[3\].*\}
\{"schema":1,"type":"aggregation","name":"a","function":"sum","entries":\[\{"key":\["k",5\],"value":7\}\]\}
\{"schema":1,"type":"exit","status":2\}
