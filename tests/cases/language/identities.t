euid, egid and psinfo_t's members, also those that are Solaris' own.
options: -q
--- script
BEGIN
/euid == $euid && egid == $egid && uid == $uid/
{
	printf("%d %d ", curpsinfo->pr_euid == euid, curpsinfo->pr_egid == egid);
	printf("%d %d %d ", curpsinfo->pr_taskid, curpsinfo->pr_zoneid, curpsinfo->pr_contract);
	printf("%s %d ", curlwpsinfo->pr_clname, curlwpsinfo->pr_stype == SOBJ_NONE);
	printf("%d %d\n", EINTR, execargs == curpsinfo->pr_psargs);
	exit(0);
}
--- stdout regex
1 1 0 0 0 (TS|RT|DL) 1 4 1
