#ifndef GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_STORE_H_
#define GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_STORE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "lib/directory/ldap_entry.h"
#include "lib/directory/ldap_sync.h"
#include "lib/directory/live_map_arena.h"
#include "lib/directory/live_map_record.h"
#include "lib/directory/live_map_table.h"

namespace gatehouse {

// The entries of a directory in few bytes each, found by their keys.
//
// One thread writes. Readers take no lock and never wait, also while the table
// grows or the garbage of changed entries is left behind: the writer makes what
// is to replace the old beside it, and frees the old when no reader is in it.
class LiveMapStore {
 public:
  explicit LiveMapStore(LiveMapAttributes attributes);
  LiveMapStore(const LiveMapStore&) = delete;
  LiveMapStore& operator=(const LiveMapStore&) = delete;
  ~LiveMapStore();

  // --- The writer's ---

  // Puts the entry in place of what there is of that name. False where there is
  // no room at all, and nothing was put.
  //
  // An entry that can't be held as it is (attributes that nobody has asked for,
  // key values that aren't plain, too large) is unusual: only its keys are
  // held, so that whoever looks for it hears to ask the directory.
  bool Put(const EntryUuid& uuid, const LdapEntry& entry);
  void Remove(const EntryUuid& uuid);
  // The entry; nothing where there is none or it is unusual.
  std::optional<LdapEntry> Get(const EntryUuid& uuid) const;

  // For a refresh that says what is there: what was neither put nor marked
  // between the two calls is removed by the second, which gives their number.
  void BeginMarking();
  void Mark(const EntryUuid& uuid);
  size_t RemoveUnmarked();

  // --- From any thread ---

  size_t size() const { return size_.load(std::memory_order_relaxed); }
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

  // For one thread; the store must outlive it.
  class Reader {
   public:
    explicit Reader(const LiveMapStore& store);
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader();

    // Calls `visit` for each entry that has a key of this hash (LookupKey);
    // with null for an unusual one. It may be moved.
    void Find(uint32_t hash, absl::FunctionRef<void(LdapEntry*)> visit) const;
    // Calls `visit` for the entries of so many keys at most, which stay the
    // same as long as their entries do; an entry may come more than once.
    void Sample(size_t keys,
                absl::FunctionRef<void(const LdapEntry&)> visit) const;

   private:
    // `look(view)` in what is published now, which stays for the while.
    template <typename Look>
    void InView(Look look) const;

    const LiveMapStore& store_;
    std::atomic<uint64_t>* sequence_;
  };

 private:
  using KeyTable = LiveMapTable</*kKeepsHash=*/true>;
  using UuidTable = LiveMapTable</*kKeepsHash=*/false>;

  // What readers see, replaced as a whole.
  struct View {
    std::shared_ptr<LiveMapArena> arena;
    std::shared_ptr<KeyTable> keys;
  };
  // Odd while the reader is in a view.
  struct alignas(64) ReaderSlot {
    std::atomic<uint64_t> sequence{0};
  };
  struct Record;
  static constexpr size_t kLeastSlots = 64;

  Record At(uint32_t offset) const;
  static Record ReadRecord(const LiveMapArena& arena, uint32_t offset);
  std::string MakeRecord(const EntryUuid& uuid, const LdapEntry& entry,
                         LiveMapArena& arena) const;
  uint32_t Locate(const EntryUuid& uuid) const;  // 0: isn't there
  std::vector<uint32_t> HashesOf(const LdapEntry& entry) const;
  std::vector<uint32_t> HashesOf(const Record& record) const;
  void Remove(const EntryUuid& uuid, uint32_t offset);
  void MakeRoom(size_t keys);
  void Publish(View next);
  void AwaitReaders() const;
  void CompactIfWorthwhile();
  void Compact();
  void Count();

  const LiveMapAttributes attributes_;
  std::atomic<const View*> view_;
  std::unique_ptr<const View> current_;  // what view_ points to
  UuidTable uuids_{kLeastSlots};         // the writer's own
  size_t garbage_bytes_ = 0;
  unsigned char mark_ = 0;
  std::atomic<size_t> size_ = 0;
  std::atomic<size_t> bytes_ = 0;

  mutable std::mutex readers_mutex_;  // for coming, going and waiting only
  mutable std::list<ReaderSlot> readers_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_STORE_H_
