#include "benchmarks/load/load_session.h"

#include <algorithm>

#include "benchmarks/load/sample_data.h"

namespace gatehouse::load {

using Outcome = Transport::Outcome;

LoadSession::LoadSession(LoadPlan& plan, Owner& owner, Poller& poller, int fd,
                         uint64_t user_number)
    : plan_(plan),
      owner_(owner),
      transport_(fd, plan.tls),
      user_number_(user_number) {
  BeginPart(Part::kLogin);
  poller.Watch(fd, this);
}

void LoadSession::OnReady(uint32_t events) { Advance(); }

void LoadSession::ContinueWork() {
  BeginPart(Part::kWork);
  Advance();
}

bool LoadSession::Advance() {
  if (!established_) {
    Outcome outcome = transport_.Handshake();
    if (outcome == Outcome::kWouldBlock) return true;
    if (outcome == Outcome::kFailed) return End(transport_.failure());
    if (outcome == Outcome::kEof) return End("closed while shaking hands");
    if (plan_.tls != nullptr && transport_.resumed() != plan_.expect_resumed) {
      return End(plan_.expect_resumed ? "not resumed" : "resumed");
    }
    established_ = true;
  }
  return Write() && Read();
}

bool LoadSession::Write() {
  if (part_ == Part::kHeld || part_ == Part::kAwaitEof) return true;
  while (!unsent_.empty() || bulk_out_ < step().bulk_out_bytes) {
    std::string_view bytes = unsent_;
    if (unsent_.empty()) {
      bytes = BulkAt(bulk_out_).substr(0, step().bulk_out_bytes - bulk_out_);
    }
    size_t count = 0;
    Outcome outcome = transport_.Write(bytes, count);
    if (outcome == Outcome::kWouldBlock) return true;
    if (outcome == Outcome::kFailed) return End(transport_.failure());
    if (outcome == Outcome::kEof) return End("closed while writing");
    if (unsent_.empty()) {
      bulk_out_ += count;
      owner_.OnBulk(count);
    } else {
      unsent_.erase(0, count);
    }
  }
  return true;
}

bool LoadSession::Read() {
  std::vector<char>& buffer = plan_.read_buffer;
  while (true) {
    size_t count = 0;
    Outcome outcome = transport_.Read(buffer.data(), buffer.size(), count);
    if (outcome == Outcome::kWouldBlock) return true;
    if (outcome == Outcome::kFailed) return End(transport_.failure());
    if (outcome == Outcome::kEof) {
      return End(part_ == Part::kAwaitEof ? "" : "closed too early");
    }
    if (!Take(std::string_view(buffer.data(), count))) return false;
  }
}

bool LoadSession::Take(std::string_view bytes) {
  while (!bytes.empty()) {
    if (part_ == Part::kAwaitEof || part_ == Part::kHeld) {
      return End("an unasked reply: " + std::string(bytes.substr(0, 80)));
    }
    if (bulk_in_ < step().bulk_in_bytes) {
      std::string_view bulk = bytes.substr(0, step().bulk_in_bytes - bulk_in_);
      if (!IsBulkAt(bulk_in_, bulk)) return End("bulk bytes were changed");
      bulk_in_ += bulk.size();
      owner_.OnBulk(bulk.size());
      bytes.remove_prefix(bulk.size());
      continue;
    }
    size_t line_end = bytes.find('\n');
    size_t size = std::min(line_end, bytes.size() - 1) + 1;
    partial_line_ += bytes.substr(0, size);
    bytes.remove_prefix(size);
    if (line_end == bytes.npos) return true;
    std::string line;
    line.swap(partial_line_);
    if (!TakeLine(line)) return false;
  }
  return true;
}

bool LoadSession::TakeLine(std::string_view line) {
  if (LeadsUpTo(line, step())) return true;
  if (!line.starts_with(step().answer)) {
    return End("not " + step().answer + ": " + std::string(line));
  }
  ++step_;
  if (step_ == steps().size()) {
    FinishPart();
  } else {
    BeginStep();
  }
  return Write();
}

bool LoadSession::End(std::string_view failure) {
  owner_.OnEnd(*this, failure);
  return false;
}

void LoadSession::BeginStep() {
  unsent_ = step().say;
  size_t number = unsent_.find('%');
  if (part_ == Part::kLogin && number != unsent_.npos) {
    unsent_.replace(number, 1, std::to_string(user_number_));
  }
  bulk_in_ = 0;
  bulk_out_ = 0;
}

void LoadSession::BeginPart(Part part) {
  part_ = part;
  step_ = 0;
  if (part == Part::kAwaitEof) return;
  if (part == Part::kHeld) return owner_.OnHeld(*this);
  if (part == Part::kWork) round_begin_ = std::chrono::steady_clock::now();
  BeginStep();
}

void LoadSession::FinishPart() {
  if (part_ == Part::kLogout) return BeginPart(Part::kAwaitEof);
  if (part_ == Part::kLogin && plan_.hold) return BeginPart(Part::kHeld);
  if (part_ == Part::kWork) {
    ++rounds_done_;
    owner_.OnWorkDone(std::chrono::steady_clock::now() - round_begin_);
  }
  BeginPart(rounds_done_ < plan_.repeats ? Part::kWork : Part::kLogout);
}

const std::vector<Step>& LoadSession::steps() const {
  if (part_ == Part::kLogin) return plan_.script->login;
  if (part_ == Part::kWork) return plan_.script->work;
  return plan_.script->logout;
}

}  // namespace gatehouse::load
