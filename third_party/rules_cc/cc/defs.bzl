"""Hands on Bazel's native C++ rules under the names of rules_cc.

Debian's own rules_cc is too new for its Bazel 4.
"""

cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
fdo_profile = native.fdo_profile
