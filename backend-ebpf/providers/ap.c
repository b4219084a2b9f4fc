/*
 * Prints where the structures of Apache httpd 2.4 have the fields that ap.probes names: ci/virtual-offsets compiles it
 * against the headers of the build in question and runs it.
 */
#include <stddef.h>
#include <stdio.h>
#include <httpd.h>
#include <http_config.h>

#define FIELD(type, field) printf(#type "." #field " %zu\n", offsetof(type, field))

int
main(void)
{
	FIELD(request_rec, connection);
	FIELD(request_rec, server);
	FIELD(request_rec, main);
	FIELD(request_rec, prev);
	FIELD(request_rec, the_request);
	FIELD(request_rec, hostname);
	FIELD(request_rec, status);
	FIELD(request_rec, method);
	FIELD(request_rec, bytes_sent);
	FIELD(request_rec, content_type);
	FIELD(request_rec, handler);
	FIELD(request_rec, user);
	FIELD(request_rec, uri);
	FIELD(request_rec, filename);
	FIELD(request_rec, args);
	FIELD(server_rec, defn_name);
	FIELD(server_rec, server_hostname);
	FIELD(conn_rec, client_ip);
	printf("sizeof.request_rec %zu\n", sizeof(request_rec));
	return (0);
}
