"""A repository per Debian package: one cc_library, named like the repository.

System headers in /usr/include need no include path; the library only carries
what the linker has to be told.
"""

def _multiarch(ctx):
    result = ctx.execute(["gcc", "-print-multiarch"])
    if result.return_code != 0:
        fail("gcc is missing: run third_party/install")
    return result.stdout.strip()

def _debian_library_impl(ctx):
    linkopts = list(ctx.attr.linkopts)
    if ctx.attr.pkg_config:
        result = ctx.execute(["pkg-config", "--libs"] + ctx.attr.pkg_config)
        if result.return_code != 0:
            fail("%s: run third_party/install (%s)" % (ctx.name, result.stderr))
        linkopts += [word for word in result.stdout.split(" ") if word.strip()]
    if ctx.attr.library_folder:
        folder = "/usr/lib/%s/%s" % (_multiarch(ctx), ctx.attr.library_folder)
        linkopts = ["-L" + folder, "-Wl,-rpath," + folder] + linkopts
    includes = []
    if ctx.attr.include:
        ctx.symlink(ctx.attr.include, "include")
        includes = ["include"]
    ctx.file("BUILD.bazel", """cc_library(
    name = "%s",
    hdrs = glob(["include/**/*.h"]),
    includes = %s,
    linkopts = %s,
    visibility = ["//visibility:public"],
)
""" % (ctx.name, repr(includes), repr([word.strip() for word in linkopts])))

debian_library = repository_rule(
    implementation = _debian_library_impl,
    local = True,
    attrs = {
        "include": attr.string(doc = "a header folder outside the compiler's default path"),
        "library_folder": attr.string(doc = "a folder below /usr/lib/<multiarch>, also put in the rpath"),
        "linkopts": attr.string_list(),
        "pkg_config": attr.string_list(doc = "modules whose link line pkg-config knows"),
    },
)
