#ifndef GATEHOUSE_BENCHMARKS_LOAD_SAMPLE_DATA_H_
#define GATEHOUSE_BENCHMARKS_LOAD_SAMPLE_DATA_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gatehouse::load {

// What store and generator send each other: known to both, so that each byte
// that came through a proxy can be compared.

// The bulk stream: a block of noise over and over, of a length that no buffer
// has, so that bytes lost or doubled are seen. The longest stretch in one
// piece that begins at `offset`.
std::string_view BulkAt(uint64_t offset);

// Whether `bytes` are the bulk stream from `offset` on.
bool IsBulkAt(uint64_t offset, std::string_view bytes);

// A message of 10 KiB: header, empty line, text; no line begins with a dot.
std::string_view SampleMessage();
// The part behind the header, which no relay changes.
std::string_view SampleBody();

}  // namespace gatehouse::load

#endif  // GATEHOUSE_BENCHMARKS_LOAD_SAMPLE_DATA_H_
