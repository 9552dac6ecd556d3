#ifndef GATEHOUSE_LIB_TESTING_TRANSCRIPT_SCRIPT_H_
#define GATEHOUSE_LIB_TESTING_TRANSCRIPT_SCRIPT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/machine.h"

namespace gatehouse {

// A transcript (see transcript.h), read.
struct TranscriptScript {
  // What the `%` lines say, for either side.
  struct Setting {
    bool upstream_side = false;
    bool whole_only = false;
    DownstreamOptions downstream;
    UpstreamOptions upstream;
  };
  struct Step {
    enum class Kind { kFeed, kOutput, kExpect, kAct };
    Kind kind;
    int line;  // in the file
    std::string text;
  };

  Setting setting;
  std::vector<Step> steps;
  size_t last_feed = 0;  // the piece that comes last before the hand-over
  bool hands_over = false;
};

// A transcript that can't be read is a CHECK failure.
TranscriptScript ParseTranscript(std::string_view text);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_TESTING_TRANSCRIPT_SCRIPT_H_
