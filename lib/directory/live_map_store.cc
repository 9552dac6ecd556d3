#include "lib/directory/live_map_store.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/hash/hash.h"
#include "lib/base/string_bridge.h"
#include "lib/directory/login_name.h"

namespace gatehouse {
namespace {

// Of nearly all: so much is fetched at once.
constexpr size_t kUsualRecordBytes = 128;

// An entry of more is unusual.
constexpr size_t kMaxRecordBytes = size_t{64} << 10;

// Below, nothing is gained by leaving garbage behind; above, a quarter of all.
constexpr size_t kLeastGarbageBytes = size_t{4} << 20;

constexpr size_t kMarkOffset = 0;
constexpr size_t kUuidOffset = 1;
constexpr size_t kLengthOffset = kUuidOffset + kEntryUuidBytes;

uint32_t HashOf(std::string_view text) {
  return static_cast<uint32_t>(absl::HashOf(ToAbsl(text)));
}

std::string_view OctetsOf(const EntryUuid& uuid) {
  return std::string_view(uuid.data(), uuid.size());
}

void AppendHash(std::string& text, uint32_t hash) {
  for (int shift = 0; shift < 32; shift += 8) {
    text += static_cast<char>(hash >> shift);
  }
}

uint32_t TakeHash(std::string_view& bytes) {
  uint32_t hash = 0;
  for (int i = 0; i < 4; ++i) {
    hash |= uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  bytes.remove_prefix(4);
  return hash;
}

}  // namespace

// A record in the arena:
//   mark     of the last refresh that has named it; the writer's own, and the
//            only octet that ever changes
//   entryUUID
//   twice the length of the body, and 1 for an unusual one; LEB128
//   body     the entry, or of an unusual one the hashes of its keys
struct LiveMapStore::Record {
  std::string_view uuid;
  bool unusual;
  std::string_view body;
  size_t bytes;  // with what is before the body
};

LiveMapStore::LiveMapStore(LiveMapAttributes attributes)
    : attributes_(std::move(attributes)),
      current_(new View{std::make_shared<LiveMapArena>(),
                        std::make_shared<KeyTable>(kLeastSlots)}) {
  view_.store(current_.get());
  Count();
}

LiveMapStore::~LiveMapStore() = default;

LiveMapStore::Record LiveMapStore::ReadRecord(const LiveMapArena& arena,
                                              uint32_t offset) {
  const std::string_view from = arena.From(offset);
  std::string_view rest = from.substr(kLengthOffset);
  const uint32_t head = TakeNumber(rest);
  const uint32_t length = head / 2;
  Record record;
  record.uuid = from.substr(kUuidOffset, kEntryUuidBytes);
  record.unusual = head % 2 != 0;
  record.body = rest.substr(0, length);
  record.bytes = from.size() - rest.size() + length;
  return record;
}

LiveMapStore::Record LiveMapStore::At(uint32_t offset) const {
  return ReadRecord(*current_->arena, offset);
}

uint32_t LiveMapStore::Locate(const EntryUuid& uuid) const {
  uint32_t found = 0;
  uuids_.Find(HashOf(OctetsOf(uuid)), [&](uint32_t offset) {
    const bool same = At(offset).uuid == OctetsOf(uuid);
    if (same) found = offset;
    return same;
  });
  return found;
}

std::vector<uint32_t> LiveMapStore::HashesOf(const LdapEntry& entry) const {
  std::vector<uint32_t> hashes;
  const auto add = [&](LdapValues values) {
    for (const std::string_view value : values) {
      hashes.push_back(LookupKeyOf(value).hash);
    }
  };
  if (HoldsOnly(entry, attributes_)) {
    for (const LiveMapAttribute& attribute : attributes_) {
      if (attribute.is_key) add(entry.Values(attribute.name));
    }
  } else {
    // A subtype of a key attribute, or its other name: not to be told from
    // here.
    entry.ForEachAttribute(
        [&](std::string_view, LdapValues values) { add(values); });
  }
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  return hashes;
}

std::vector<uint32_t> LiveMapStore::HashesOf(const Record& record) const {
  if (!record.unusual) {
    return HashesOf(DecodeRecord(record.body, attributes_, *current_->arena));
  }
  std::vector<uint32_t> hashes;
  for (std::string_view rest = record.body; !rest.empty();) {
    hashes.push_back(TakeHash(rest));
  }
  return hashes;
}

std::string LiveMapStore::MakeRecord(const EntryUuid& uuid,
                                     const LdapEntry& entry,
                                     LiveMapArena& arena) const {
  bool usual = true;
  for (const LiveMapAttribute& attribute : attributes_) {
    if (!attribute.is_compared) continue;
    for (const std::string_view value : entry.Values(attribute.name)) {
      usual &= LookupKeyOf(value).plain;
    }
  }
  std::optional<std::string> body;
  if (usual) body = EncodeRecord(entry, attributes_, arena);
  usual = body && body->size() <= kMaxRecordBytes;
  if (!usual) {
    body = "";
    for (const uint32_t hash : HashesOf(entry)) AppendHash(*body, hash);
  }
  std::string record;
  record += static_cast<char>(mark_);
  record += OctetsOf(uuid);
  AppendNumber(record, static_cast<uint32_t>(2 * body->size() + !usual));
  return record += *body;
}

// --- Changes ---

bool LiveMapStore::Put(const EntryUuid& uuid, const LdapEntry& entry) {
  LiveMapArena& arena = *current_->arena;
  const std::string record = MakeRecord(uuid, entry, arena);
  if (record.size() > LiveMapArena::kMaxPieceBytes) return false;
  const uint32_t offset = arena.Append(record);
  if (offset == 0) return false;

  const std::vector<uint32_t> hashes = HashesOf(entry);
  MakeRoom(hashes.size());
  KeyTable& keys = *current_->keys;
  const uint32_t before = Locate(uuid);
  if (before == 0) {
    uuids_.Add(HashOf(OctetsOf(uuid)), offset);
    for (const uint32_t hash : hashes) keys.Add(hash, offset);
    Count();
    return true;
  }
  uuids_.Replace(HashOf(OctetsOf(uuid)), before, offset);
  const Record old = At(before);
  const std::vector<uint32_t> old_hashes = HashesOf(old);
  const auto holds = [](const std::vector<uint32_t>& all, uint32_t one) {
    return std::binary_search(all.begin(), all.end(), one);
  };
  for (const uint32_t hash : hashes) {
    if (holds(old_hashes, hash)) {
      keys.Replace(hash, before, offset);
    } else {
      keys.Add(hash, offset);
    }
  }
  for (const uint32_t hash : old_hashes) {
    if (!holds(hashes, hash)) keys.Remove(hash, before);
  }
  garbage_bytes_ += old.bytes;
  CompactIfWorthwhile();
  Count();
  return true;
}

void LiveMapStore::Remove(const EntryUuid& uuid) {
  const uint32_t offset = Locate(uuid);
  if (offset != 0) Remove(uuid, offset);
  CompactIfWorthwhile();
  Count();
}

void LiveMapStore::Remove(const EntryUuid& uuid, uint32_t offset) {
  const Record record = At(offset);
  for (const uint32_t hash : HashesOf(record)) {
    current_->keys->Remove(hash, offset);
  }
  uuids_.Remove(HashOf(OctetsOf(uuid)), offset);
  garbage_bytes_ += record.bytes;
}

std::optional<LdapEntry> LiveMapStore::Get(const EntryUuid& uuid) const {
  const uint32_t offset = Locate(uuid);
  if (offset == 0) return std::nullopt;
  const Record record = At(offset);
  if (record.unusual) return std::nullopt;
  return DecodeRecord(record.body, attributes_, *current_->arena);
}

// --- Marks ---

void LiveMapStore::BeginMarking() {
  if (++mark_ != 0) return;
  // Marks of long ago mustn't look like new ones.
  mark_ = 1;
  uuids_.ForEach([this](uint32_t offset) {
    *current_->arena->Writable(offset + kMarkOffset) = 0;
  });
}

void LiveMapStore::Mark(const EntryUuid& uuid) {
  const uint32_t offset = Locate(uuid);
  if (offset == 0) return;
  *current_->arena->Writable(offset + kMarkOffset) = static_cast<char>(mark_);
}

size_t LiveMapStore::RemoveUnmarked() {
  std::vector<uint32_t> unmarked;
  uuids_.ForEach([&](uint32_t offset) {
    const char mark = *current_->arena->At(offset + kMarkOffset);
    if (mark != static_cast<char>(mark_)) unmarked.push_back(offset);
  });
  for (const uint32_t offset : unmarked) {
    EntryUuid uuid;
    const std::string_view octets = At(offset).uuid;
    std::copy(octets.begin(), octets.end(), uuid.begin());
    Remove(uuid, offset);
  }
  CompactIfWorthwhile();
  Count();
  return unmarked.size();
}

// --- What readers see ---

void LiveMapStore::MakeRoom(size_t keys) {
  const auto hash_of = [this](uint32_t offset) {
    return HashOf(At(offset).uuid);
  };
  if (!uuids_.HasRoomFor(1)) uuids_ = uuids_.Copy(1, hash_of);
  if (current_->keys->HasRoomFor(keys)) return;
  Publish({current_->arena,
           std::make_shared<KeyTable>(current_->keys->Copy(keys, hash_of))});
}

void LiveMapStore::Publish(View next) {
  auto published = std::make_unique<const View>(std::move(next));
  view_.store(published.get(), std::memory_order_seq_cst);
  AwaitReaders();
  current_ = std::move(published);
}

// Until whoever has been in a view has left it: a microsecond.
void LiveMapStore::AwaitReaders() const {
  std::lock_guard<std::mutex> lock(readers_mutex_);
  for (const ReaderSlot& reader : readers_) {
    const uint64_t sequence = reader.sequence.load(std::memory_order_seq_cst);
    if (sequence % 2 == 0) continue;
    while (reader.sequence.load(std::memory_order_acquire) == sequence) {
      std::this_thread::yield();
    }
  }
}

void LiveMapStore::CompactIfWorthwhile() {
  const size_t all = current_->arena->appended_bytes();
  if (garbage_bytes_ >= std::max(kLeastGarbageBytes, all / 4)) Compact();
}

void LiveMapStore::Compact() {
  const auto no_hash = [](uint32_t) { return 0u; };  // of none
  View next{std::make_shared<LiveMapArena>(),
            std::make_shared<KeyTable>(
                KeyTable(0).Copy(current_->keys->size(), no_hash))};
  UuidTable uuids = UuidTable(0).Copy(uuids_.size(), no_hash);
  uuids_.ForEach([&](uint32_t offset) {
    const Record record = At(offset);
    EntryUuid uuid;
    std::copy(record.uuid.begin(), record.uuid.end(), uuid.begin());
    // Its own octets where it is unusual: what it was made of isn't there.
    std::string moved(current_->arena->At(offset), record.bytes);
    if (!record.unusual) {
      moved = MakeRecord(
          uuid, DecodeRecord(record.body, attributes_, *current_->arena),
          *next.arena);
      moved[kMarkOffset] = *current_->arena->At(offset);
    }
    const uint32_t place = next.arena->Append(moved);
    uuids.Add(HashOf(record.uuid), place);
    for (const uint32_t hash : HashesOf(record)) next.keys->Add(hash, place);
  });
  Publish(std::move(next));
  uuids_ = std::move(uuids);
  garbage_bytes_ = 0;
}

void LiveMapStore::Count() {
  size_.store(uuids_.size(), std::memory_order_relaxed);
  bytes_.store(
      current_->arena->bytes() + current_->keys->bytes() + uuids_.bytes(),
      std::memory_order_relaxed);
}

// --- Readers ---

LiveMapStore::Reader::Reader(const LiveMapStore& store) : store_(store) {
  std::lock_guard<std::mutex> lock(store_.readers_mutex_);
  sequence_ = &store_.readers_.emplace_back().sequence;
}

LiveMapStore::Reader::~Reader() {
  std::lock_guard<std::mutex> lock(store_.readers_mutex_);
  store_.readers_.remove_if(
      [this](const ReaderSlot& slot) { return &slot.sequence == sequence_; });
}

template <typename Look>
void LiveMapStore::Reader::InView(Look look) const {
  const uint64_t outside = sequence_->load(std::memory_order_relaxed);
  sequence_->store(outside + 1, std::memory_order_seq_cst);
  look(*store_.view_.load(std::memory_order_seq_cst));
  sequence_->store(outside + 2, std::memory_order_release);
}

void LiveMapStore::Reader::Find(
    uint32_t hash, absl::FunctionRef<void(LdapEntry*)> visit) const {
  InView([&](const View& view) {
    view.keys->Find(hash, [&](uint32_t offset) {
      view.arena->Prefetch(offset, kUsualRecordBytes);
      const Record record = ReadRecord(*view.arena, offset);
      if (record.unusual) {
        visit(nullptr);
      } else {
        LdapEntry entry =
            DecodeRecord(record.body, store_.attributes_, *view.arena);
        visit(&entry);
      }
      return false;
    });
  });
}

void LiveMapStore::Reader::Sample(
    size_t keys, absl::FunctionRef<void(const LdapEntry&)> visit) const {
  InView([&](const View& view) {
    view.keys->Scan([&](uint32_t offset) {
      if (keys == 0) return true;
      --keys;
      const Record record = ReadRecord(*view.arena, offset);
      if (!record.unusual) {
        visit(DecodeRecord(record.body, store_.attributes_, *view.arena));
      }
      return false;
    });
  });
}

}  // namespace gatehouse
