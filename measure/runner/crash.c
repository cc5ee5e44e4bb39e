#include "crash.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { MAX_WATCHED = 256, NAME_BYTES = 32 };

static struct watched {
  char name[NAME_BYTES];
  uintptr_t low, begin, end, high;
} watched[MAX_WATCHED];
static volatile int watchedCount;

void nestlingWatch(const char *name, void *low, void *begin, void *end, void *high) {
  if (watchedCount == MAX_WATCHED)
    return;
  struct watched *w = &watched[watchedCount];
  strncpy(w->name, name, NAME_BYTES - 1);
  w->low = (uintptr_t)low;
  w->begin = (uintptr_t)begin;
  w->end = (uintptr_t)end;
  w->high = (uintptr_t)high;
  watchedCount++;
}

// A handler may not call printf: the line is put together by hand.
typedef struct {
  char text[256];
  size_t length;
} line;

static void addText(line *l, const char *text) {
  while (*text && l->length < sizeof l->text)
    l->text[l->length++] = *text++;
}

static void addNumber(line *l, uintptr_t value, unsigned base) {
  char digits[24];
  int n = 0;
  do {
    digits[n++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value);
  while (n > 0 && l->length < sizeof l->text)
    l->text[l->length++] = digits[--n];
}

static void addPlace(line *l, uintptr_t address) {
  addText(l, " at address 0x");
  addNumber(l, address, 16);
  for (int i = 0; i < watchedCount; i++) {
    struct watched *w = &watched[i];
    if (address < w->low || address >= w->high)
      continue;
    addText(l, ", ");
    if (address < w->begin) {
      addNumber(l, w->begin - address, 10);
      addText(l, " bytes before the start of ");
    } else if (address >= w->end) {
      addNumber(l, address - w->end, 10);
      addText(l, " bytes past the end of ");
    } else {
      addText(l, "in ");
    }
    addText(l, w->name);
    return;
  }
}

static const char *signalName(int number) {
  switch (number) {
  case SIGSEGV:
    return "SIGSEGV";
  case SIGBUS:
    return "SIGBUS";
  case SIGILL:
    return "SIGILL";
  default:
    return "SIGFPE";
  }
}

static void lastWords(int number, siginfo_t *info, void *context) {
  (void)context;
  line l = {.length = 0};
  addText(&l, signalName(number));
  addPlace(&l, (uintptr_t)info->si_addr);
  addText(&l, "\n");
  ssize_t ignored = write(STDERR_FILENO, l.text, l.length);
  (void)ignored;
  // SA_RESETHAND has restored the default: the process dies of it when this
  // handler returns.
  raise(number);
}

void nestlingCrashPlainly(void) {
  struct sigaction words;
  memset(&words, 0, sizeof words);
  words.sa_sigaction = lastWords;
  words.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND;
  sigemptyset(&words.sa_mask);
  sigaction(SIGSEGV, &words, NULL);
  sigaction(SIGBUS, &words, NULL);
  sigaction(SIGILL, &words, NULL);
  sigaction(SIGFPE, &words, NULL);
  signal(SIGABRT, SIG_DFL);
}
