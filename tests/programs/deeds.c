/*
 * deeds WHAT: one thing that the scripts of scripts/ watch, an exactly known number of times.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char block[65536] __attribute__((aligned(4096)));

__attribute__((noinline)) void take(void)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
}

/* A second of its own processor time, however busy the machine is. */
__attribute__((noinline)) int spin_here(void)
{
	volatile long n = 0;
	struct timespec used;
	do {
		for (int i = 0; i < 100000; i++)
			n++;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	} while (used.tv_sec < 1);
	return (int)n;
}

static void commands(void)
{
	char word[32];
	for (int i = 1; i <= 5; i++) {
		pid_t child = fork();
		if (child == 0) {
			snprintf(word, sizeof word, "deed-%d", i);
			execl("/bin/true", "true", word, (char *)NULL);
			_exit(1);
		}
		waitpid(child, NULL, 0);
		dprintf(1, "child %d\n", child);
	}
}

static int tcp(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&at, &length) ||
	    connect(client, (struct sockaddr *)&at, sizeof at))
		return 1;
	int server = accept(listener, NULL, NULL), remote = ntohs(at.sin_port);
	getsockname(client, (struct sockaddr *)&at, &length);
	dprintf(1, "local %d\nremote %d\n", ntohs(at.sin_port), remote);
	if (write(client, block, 12345) != 12345)
		return 1;
	close(client);
	while (read(server, block, sizeof block) > 0)
		;
	close(server);
	close(listener);
	return 0;
}

/* Changes the address space against the other threads, for some seconds or as long as the parent lives. */
static void *contend(void *parent)
{
	time_t end = time(NULL) + 5;
	while (time(NULL) < end && getppid() == *(pid_t *)parent)
		munmap(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0), 1 << 20);
	return NULL;
}

static void handle(int signal)
{
	(void)signal;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *path = argc > 2 ? argv[2] : "";
	if (!strcmp(what, "calls")) {
		for (int i = 0; i < 1234; i++)
			syscall(SYS_getppid);
	} else if (!strcmp(what, "fail")) {
		for (int i = 0; i < 321; i++)
			open("/nonexistent/deeds", O_RDONLY);
	} else if (!strcmp(what, "commands")) {
		commands();
	} else if (!strcmp(what, "file")) {
		int file = open(path, O_RDWR | O_CREAT, 0600);
		for (int i = 0; i < 10; i++)
			if (write(file, block, 1000) != 1000)
				return 1;
		lseek(file, 0, SEEK_SET);
		for (int i = 0; i < 7; i++)
			if (read(file, block, 100) != 100)
				return 1;
		close(file);
	} else if (!strcmp(what, "disk")) {
		int file = open(path, O_RDWR | O_CREAT | O_DIRECT, 0600);
		for (int i = 0; i < 16; i++)
			if (file < 0 || write(file, block, sizeof block) != sizeof block)
				return 77;
	} else if (!strcmp(what, "sleep")) {
		for (int i = 0; i < 50; i++)
			usleep(1000);
	} else if (!strcmp(what, "spin")) {
		spin_here();
	} else if (!strcmp(what, "signal")) {
		signal(SIGUSR1, handle);
		for (int i = 0; i < 3; i++)
			kill(getpid(), SIGUSR1);
	} else if (!strcmp(what, "malloc")) {
		for (int i = 0; i < 1234; i++) {
			char *volatile piece = malloc(3 << 20);
			free(piece);
		}
	} else if (!strcmp(what, "mutex")) {
		for (int i = 0; i < 1234; i++)
			take();
	} else if (!strcmp(what, "faults")) {
		char *pages = mmap(NULL, 1000 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		madvise(pages, 1000 * 4096, MADV_NOHUGEPAGE);
		for (int i = 0; i < 1000; i++)
			pages[i * 4096] = 1;
	} else if (!strcmp(what, "locks")) {
		pid_t parent = getppid();
		pthread_t threads[4];
		for (int i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, contend, &parent);
		for (int i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
	} else if (!strcmp(what, "tcp")) {
		return tcp();
	}
	return 0;
}
