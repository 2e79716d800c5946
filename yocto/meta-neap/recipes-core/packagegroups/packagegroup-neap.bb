SUMMARY = "neap, and what it needs beside it in an image"
DESCRIPTION = "Pulls in neap, built or as a binary by what the series' Rust allows, and the roots of trust for TLS."
# nooelint: oelint.vars.homepageprefix,oelint.vars.homepageping
HOMEPAGE = "file:///usr/share/doc/neap/README.md"
BUGTRACKER = "file:///usr/share/doc/neap/SECURITY.md"
SECTION = "multimedia"
LICENSE = "MIT"

inherit packagegroup

# Of the two recipes one is skipped, or provides the other's name.
RDEPENDS:${PN} = "\
    ca-certificates \
    neap \
"
