/*
 * Takes locks a known number of times, and waits for one of each kind that another thread holds. Hands the locks to
 * note(), so that a script knows them.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER, recursive;
static pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
static atomic_int step;

__attribute__((noinline)) void
note(void *a, void *b, void *c)
{
	__asm__ volatile("" : : "r"(a), "r"(b), "r"(c) : "memory");
}

static void *
hold(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&plain);
	step = 1;
	usleep(300000);
	pthread_mutex_unlock(&plain);
	pthread_rwlock_wrlock(&shared);
	step = 2;
	usleep(300000);
	pthread_rwlock_unlock(&shared);
	return (NULL);
}

int
main(void)
{
	pthread_mutexattr_t kind;
	pthread_t thread;
	int i;

	pthread_mutexattr_init(&kind);
	pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&recursive, &kind);
	note(&plain, &recursive, &shared);
	for (i = 0; i < 10; i++) {
		pthread_mutex_lock(&plain);
		pthread_mutex_unlock(&plain);
	}
	pthread_mutex_lock(&recursive);
	pthread_mutex_lock(&recursive);
	pthread_mutex_unlock(&recursive);
	pthread_mutex_unlock(&recursive);
	for (i = 0; i < 5; i++) {
		pthread_rwlock_rdlock(&shared);
		pthread_rwlock_unlock(&shared);
	}
	for (i = 0; i < 3; i++) {
		pthread_rwlock_wrlock(&shared);
		pthread_rwlock_unlock(&shared);
	}
	pthread_create(&thread, NULL, hold, NULL);
	while (step < 1)
		usleep(1000);
	pthread_mutex_lock(&plain);
	pthread_mutex_unlock(&plain);
	while (step < 2)
		usleep(1000);
	pthread_rwlock_rdlock(&shared);
	pthread_rwlock_unlock(&shared);
	pthread_join(thread, NULL);
	return (0);
}
