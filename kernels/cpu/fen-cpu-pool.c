/* fen-cpu-pool.c: the threads of a CPU device.
 *
 * A step is some hundred short parallel sections with a few microseconds between them, so a worker that has finished
 * first looks for the next section for a short while (SPINS pauses, about 20 us) and only then sleeps on a condition
 * variable; the caller waits for its workers in the same way. On a machine that others use too, a long spin would
 * take time from the very thread that it waits for.
 *
 * One section:  caller: job, pending = workers, generation += 1, wake the sleepers
 *               workers: see a new generation, run, pending -= 1 (the last one wakes the caller)
 * A sleeper announces itself before its last look at the word it waits for, and the waker changes the word before
 * looking for sleepers (both sequentially consistent), so that no wake-up is lost.
 */
#include "kernels/cpu/fen-cpu-private.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPINS 500

typedef void (*Section) (void *data, int worker);

struct FenCpuPool {
  int threads;
  pthread_t *workers; /* threads - 1 */
  pthread_mutex_t mutex;
  pthread_cond_t work, done;
  atomic_uint generation; /* of the section that runs or has run last */
  atomic_int sleepers;    /* workers that wait on `work` */
  atomic_int pending;     /* workers that have not finished this section */
  atomic_int waiting;     /* the caller waits on `done` */
  atomic_bool quit;
  Section section;
  void *data;
};

typedef struct {
  FenCpuPool *pool;
  int number;
} Worker;

static inline void
relax (void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause ();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* The generation after `seen`, spinning first. */
static unsigned
wait_for_work (FenCpuPool *pool, unsigned seen)
{
  for (int i = 0; i < SPINS; i++)
    {
      const unsigned now = atomic_load (&pool->generation);
      if (now != seen)
        return now;
      relax ();
    }
  pthread_mutex_lock (&pool->mutex);
  atomic_fetch_add (&pool->sleepers, 1);
  while (atomic_load (&pool->generation) == seen)
    pthread_cond_wait (&pool->work, &pool->mutex);
  atomic_fetch_sub (&pool->sleepers, 1);
  pthread_mutex_unlock (&pool->mutex);
  return atomic_load (&pool->generation);
}

static void *
worker_main (void *argument)
{
  Worker worker = *(Worker *)argument;
  FenCpuPool *pool = worker.pool;
  unsigned seen = 0;
  free (argument);
  for (;;)
    {
      seen = wait_for_work (pool, seen);
      if (atomic_load (&pool->quit))
        return NULL;
      pool->section (pool->data, worker.number);
      if (atomic_fetch_sub (&pool->pending, 1) == 1 && atomic_load (&pool->waiting))
        {
          pthread_mutex_lock (&pool->mutex);
          pthread_cond_signal (&pool->done);
          pthread_mutex_unlock (&pool->mutex);
        }
    }
}

static void
announce (FenCpuPool *pool)
{
  atomic_fetch_add (&pool->generation, 1);
  if (atomic_load (&pool->sleepers) > 0)
    {
      pthread_mutex_lock (&pool->mutex);
      pthread_cond_broadcast (&pool->work);
      pthread_mutex_unlock (&pool->mutex);
    }
}

static void
run_section (FenCpuPool *pool, Section section, void *data)
{
  if (pool->threads == 1)
    {
      section (data, 0);
      return;
    }
  pool->section = section;
  pool->data = data;
  atomic_store (&pool->pending, pool->threads - 1);
  announce (pool);
  section (data, 0);
  for (int i = 0; i < SPINS && atomic_load (&pool->pending) > 0; i++)
    relax ();
  if (atomic_load (&pool->pending) == 0)
    return;
  pthread_mutex_lock (&pool->mutex);
  atomic_store (&pool->waiting, 1);
  while (atomic_load (&pool->pending) > 0)
    pthread_cond_wait (&pool->done, &pool->mutex);
  atomic_store (&pool->waiting, 0);
  pthread_mutex_unlock (&pool->mutex);
}

/* Starts worker `number`, deaf to signals: those belong to the program's own threads. */
static bool
start_worker (FenCpuPool *pool, int number)
{
  Worker *worker = malloc (sizeof *worker);
  sigset_t all, old;
  if (worker == NULL)
    return false;
  *worker = (Worker){ pool, number };
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  const bool started = pthread_create (&pool->workers[number - 1], NULL, worker_main, worker) == 0;
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  if (!started)
    free (worker);
  return started;
}

FenCpuPool *
fen_cpu_pool_new (int threads, FenStatus *status)
{
  FenCpuPool *pool = calloc (1, sizeof *pool);
  pthread_t *workers = calloc ((size_t)threads, sizeof *workers);
  if (pool == NULL || workers == NULL)
    {
      free (pool);
      free (workers);
      fen_cpu_status (status, FEN_STATUS_OUT_OF_MEMORY, "no memory for the threads of the CPU device");
      return NULL;
    }
  pool->workers = workers;
  pthread_mutex_init (&pool->mutex, NULL);
  pthread_cond_init (&pool->work, NULL);
  pthread_cond_init (&pool->done, NULL);
  for (pool->threads = 1; pool->threads < threads; pool->threads++)
    if (!start_worker (pool, pool->threads))
      {
        fen_cpu_status (status, FEN_STATUS_LAUNCH,
                        "thread %d of %d could not be started: the process limit of "
                        "threads is reached; ask for fewer threads",
                        pool->threads + 1, threads);
        fen_cpu_pool_free (pool);
        return NULL;
      }
  return pool;
}

void
fen_cpu_pool_free (FenCpuPool *pool)
{
  if (pool == NULL)
    return;
  atomic_store (&pool->quit, true);
  announce (pool);
  for (int i = 0; i < pool->threads - 1; i++)
    pthread_join (pool->workers[i], NULL);
  pthread_cond_destroy (&pool->work);
  pthread_cond_destroy (&pool->done);
  pthread_mutex_destroy (&pool->mutex);
  free (pool->workers);
  free (pool);
}

/* ---- the two ways of sharing work ---- */

typedef struct {
  int64_t n, grain, parts;
  FenCpuRange body;
  void *data;
} For;

static void
for_section (void *data, int worker)
{
  const For *job = data;
  if (worker >= job->parts)
    return;
  const int64_t units = fen_cpu_ceil_div (job->n, job->grain);
  const int64_t first = units / job->parts * worker + fen_cpu_min (worker, units % job->parts);
  const int64_t count = units / job->parts + (worker < units % job->parts);
  job->body (job->data, first * job->grain, fen_cpu_min ((first + count) * job->grain, job->n), worker);
}

void
fen_cpu_for (FenDevice *device, int64_t n, int64_t grain, FenCpuRange body, void *data)
{
  if (n <= 0)
    return;
  grain = fen_cpu_max (grain, 1);
  For job = { n, grain, fen_cpu_min (fen_cpu_ceil_div (n, grain), device->threads), body, data };
  if (job.parts == 1)
    body (data, 0, n, 0);
  else
    run_section (device->pool, for_section, &job);
}

typedef struct {
  int64_t n;
  atomic_llong next;
  FenCpuTask body;
  void *data;
} Tasks;

static void
tasks_section (void *data, int worker)
{
  Tasks *job = data;
  for (int64_t i; (i = atomic_fetch_add_explicit (&job->next, 1, memory_order_relaxed)) < job->n;)
    job->body (job->data, i, worker);
}

void
fen_cpu_tasks (FenDevice *device, int64_t n, FenCpuTask body, void *data)
{
  Tasks job = { .n = n, .body = body, .data = data };
  if (n <= 0)
    return;
  if (n == 1 || device->threads == 1)
    for (int64_t i = 0; i < n; i++)
      body (data, i, 0);
  else
    run_section (device->pool, tasks_section, &job);
}
