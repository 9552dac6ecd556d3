#ifndef GATEHOUSE_LIB_BASE_CHECK_H_
#define GATEHOUSE_LIB_BASE_CHECK_H_

#include <cstdio>
#include <cstdlib>

// Ends the process where the condition doesn't hold: only for bugs of our own,
// never for what a peer or the environment can bring about. The one place
// where the library speaks on stderr, since nothing of it survives.
#define GATEHOUSE_CHECK(condition, text)                               \
  do {                                                                 \
    if (!(condition)) [[unlikely]] {                                   \
      std::fprintf(stderr, "%s:%d: CHECK failed: %s (%s)\n", __FILE__, \
                   __LINE__, #condition, text);                        \
      std::abort();                                                    \
    }                                                                  \
  } while (false)

#endif  // GATEHOUSE_LIB_BASE_CHECK_H_
