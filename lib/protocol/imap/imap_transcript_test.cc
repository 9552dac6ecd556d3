#include "gtest/gtest.h"
#include "lib/protocol/imap/imap_protocol.h"
#include "lib/testing/transcript.h"

namespace gatehouse {
namespace {

TEST(ImapTranscriptTest, DownstreamSpeaksAsWritten) {
  PlayTranscripts(ImapProtocol(), "testdata/imap/downstream");
}

TEST(ImapTranscriptTest, UpstreamSpeaksAsWritten) {
  PlayTranscripts(ImapProtocol(), "testdata/imap/upstream");
}

}  // namespace
}  // namespace gatehouse
