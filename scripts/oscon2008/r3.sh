#!/bin/sh
#
# r3.sh - requests of Apache: how many, how long, with how many system calls and bytes; a table every few seconds.
#
# Usage:     r3.sh [-i SECONDS] [-n TABLES] [-g uri|content_type|host|method|status] [-P PPID] [-ctsb]
#              -i  seconds between tables (5)           -n  end after so many tables (at ^C)
#              -g  what requests are grouped by (uri)   -P  only children of this process: one server of several
#              -c  count, -t  average time in microseconds, -s  average number of system calls, -b  bytes sent: the
#                  columns (all four); the table is sorted by the first of them
# Environment: DTRACE  the command (duotrace where there is one, else dtrace)
# Needs:     an Apache httpd with the probes of provider ap: its own, or duotrace's for stock packages of 2.4; and the
#            type request_rec (Project-DTrace's ap.d; duotrace brings one).
#
# A request's time begins when its first line and headers have been read, so that an idle connection is not a slow
# request, and ends when the answer has been sent. Its system calls are those of all of it, reading included. A request
# that was under way when the script began is left out. A table shows what happened since the last one; what happened
# since then is shown at the end. It is not cut off after some number of rows: trunc() would choose different rows for
# each column.
#
# Example (r3.sh -n 1, while the load of ci/services-web asks for five pages in turn):
#   2026 Nov 23 18:59:10  requests by uri
#        COUNT    AVG us AVG CALLS        BYTES  uri
#          112       422        14         8736  /shop/item
#          112       105        11         3696  /index.html
#          111     20594        11        17871  /shop/slow
#          111       259        10       182040  /shop/list
#          111        34        10        26196  /nope
#
interval=5 tables=0 group=uri ppid='' columns=''

usage() {
	sed -n '3,/^# Environment/{/^# Environment/d;s/^# \{0,1\}//;p;}' "$0" >&2
	exit 2
}

while getopts i:n:g:P:ctsb option; do
	case $option in
	i) interval=$OPTARG ;;
	n) tables=$OPTARG ;;
	g) group=$OPTARG ;;
	P) ppid=$OPTARG ;;
	c | t | s | b) columns="$columns $option" ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -eq 0 ] || usage

# Nothing goes into the program but numbers and words of this script.
for number in "$interval" "$tables" "${ppid:-1}"; do
	case $number in '' | *[!0-9]*) usage ;; esac
done
[ "$interval" -gt 0 ] || usage

text() { echo "this->r->$1 != NULL ? copyinstr((uintptr_t)this->r->$1) : \"-\""; }
case $group in
uri | content_type | method) key=$(text "$group") ;;
host) key=$(text hostname) ;;
status) key='lltostr(this->r->status)' ;;
*) usage ;;
esac

head='' format='' list='' calls=''
for column in ${columns:-c t s b}; do
	case $column in
	c) head="$head     COUNT" format="$format %@9d" list="$list @count," ;;
	t) head="$head    AVG us" format="$format %@9d" list="$list @time," ;;
	s)
		head="$head AVG CALLS" format="$format %@9d" list="$list @calls,"
		calls='syscall:::entry /self->request/ { self->calls++; }'
		;;
	b) head="$head        BYTES" format="$format %@12d" list="$list @bytes," ;;
	esac
done
mine=1
[ -z "$ppid" ] || mine="ppid == $ppid"
screen=''
[ ! -t 1 ] || screen='\033[H\033[J'
if [ -z "${DTRACE:-}" ]; then
	DTRACE=dtrace
	! command -v duotrace >/dev/null 2>&1 || DTRACE=duotrace
fi

exec $DTRACE -Zqn '
#pragma D option strsize=96
#pragma D option aggsortrev

self uint64_t request;
self uint64_t start;
self uint64_t calls;

ap*::ap_read_request:read-request-entry
/'"$mine"'/
{
	self->request = arg0;
	self->start = 0;
	self->calls = 0;
}

ap*::ap_read_request:read-request-success
/self->request == arg0/
{
	self->start = timestamp;
}

ap*::ap_read_request:read-request-failure
{
	self->request = 0;
}

'"$calls"'

ap*:::process-request-return
/self->start && self->request == arg0/
{
	this->r = (request_rec *)copyin(arg0, sizeof (request_rec));
	this->key = '"$key"';
	@count[this->key] = count();
	@time[this->key] = avg((timestamp - self->start) / 1000);
	@calls[this->key] = avg(self->calls);
	@bytes[this->key] = sum(this->r->bytes_sent);
}

ap*:::process-request-return
{
	self->request = 0;
	self->start = 0;
}

BEGIN
{
	tables = '"$tables"';
	shown = 0;
	done = 0;
}

tick-'"$interval"'sec, END
/!done/
{
	printf("'"$screen"'%Y  requests by '"$group"'\n'"$head"'  %s\n", walltimestamp, "'"$group"'");
	printa("'"$format"'  %s\n",'"${list%,}"');
	trunc(@count);
	trunc(@time);
	trunc(@calls);
	trunc(@bytes);
	shown++;
}

tick-'"$interval"'sec
/shown == tables/
{
	done = 1;
	exit(0);
}
'
