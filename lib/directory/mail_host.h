#ifndef GATEHOUSE_LIB_DIRECTORY_MAIL_HOST_H_
#define GATEHOUSE_LIB_DIRECTORY_MAIL_HOST_H_

#include <string_view>

#include "lib/directory/directory.h"

namespace gatehouse {

// A mailHost: "host", "host:port" or a URI as "imaps://host:port", whose scheme
// says whether TLS is implicit where the name of the scheme ends that question.
// False where it is none of these.
bool ReadMailHost(std::string_view value, Location& location);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_MAIL_HOST_H_
