#include "lib/directory/ldap_wiping.h"

#include <lber.h>
#include <string.h>

namespace gatehouse {
namespace {

// A layer of liblber's, above TLS (lber-sockbuf(3)). It is given the request's
// own memory.

ber_slen_t Write(Sockbuf_IO_Desc* layer, void* request, ber_len_t size) {
  const ber_slen_t sent = LBER_SBIOD_WRITE_NEXT(layer, request, size);
  if (sent > 0) explicit_bzero(request, sent);
  return sent;
}

ber_slen_t Read(Sockbuf_IO_Desc* layer, void* reply, ber_len_t size) {
  return LBER_SBIOD_READ_NEXT(layer, reply, size);
}

int Control(Sockbuf_IO_Desc* layer, int option, void* argument) {
  return LBER_SBIOD_CTRL_NEXT(layer, option, argument);
}

int SetUp(Sockbuf_IO_Desc*, void*) { return 0; }
int Remove(Sockbuf_IO_Desc*) { return 0; }
int Close(Sockbuf_IO_Desc*) { return 0; }

Sockbuf_IO wiping = {
    .sbi_setup = SetUp,
    .sbi_remove = Remove,
    .sbi_ctrl = Control,
    .sbi_read = Read,
    .sbi_write = Write,
    .sbi_close = Close,
};

}  // namespace

bool WipeWhatIsSent(LDAP* handle) {
  Sockbuf* socket = nullptr;
  return ldap_get_option(handle, LDAP_OPT_SOCKBUF, &socket) == LDAP_SUCCESS &&
         ber_sockbuf_add_io(socket, &wiping, LBER_SBIOD_LEVEL_APPLICATION,
                            nullptr) == 0;
}

}  // namespace gatehouse
