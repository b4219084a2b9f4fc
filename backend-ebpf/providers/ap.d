/*
 * What the arguments of the ap provider point to: structures of Apache httpd 2.4 as they are on 64-bit systems, for
 * `(request_rec *)copyin(arg0, sizeof (request_rec))`. Member names are those of the server's httpd.h; what a member
 * points to in the server's memory wants a copyin() or copyinstr() of its own.
 */
typedef struct conn_rec {
	uintptr_t pool;
	uintptr_t base_server;
	uintptr_t vhost_lookup_data;
	uintptr_t local_addr;
	uintptr_t client_addr;
	char *client_ip;
	char *remote_host;
	char *remote_logname;
	char *local_ip;
	char *local_host;
	long id;
} conn_rec;

typedef struct request_rec {
	uintptr_t pool;
	struct conn_rec *connection;
	struct server_rec *server;
	struct request_rec *next;
	struct request_rec *prev;
	struct request_rec *main;
	char *the_request;
	int assbackwards;
	int proxyreq;
	int header_only;
	int proto_num;
	char *protocol;
	char *hostname;
	int64_t request_time;
	char *status_line;
	int status;
	int method_number;
	char *method;
	int64_t allowed;
	uintptr_t allowed_xmethods;
	uintptr_t allowed_methods;
	int64_t sent_bodyct;
	int64_t bytes_sent;
	int64_t mtime;
	char *range;
	int64_t clength;
	int chunked;
	int read_body;
	int read_chunked;
	unsigned int expecting_100;
	uintptr_t kept_body;
	uintptr_t body_table;
	int64_t remaining;
	int64_t read_length;
	uintptr_t headers_in;
	uintptr_t headers_out;
	uintptr_t err_headers_out;
	uintptr_t subprocess_env;
	uintptr_t notes;
	char *content_type;
	char *handler;
	char *content_encoding;
	uintptr_t content_languages;
	char *vlist_validator;
	char *user;
	char *ap_auth_type;
	char *unparsed_uri;
	char *uri;
	char *filename;
	char *canonical_filename;
	char *path_info;
	char *args;
} request_rec;
