SUMMARY = "neap as a static binary, for series whose Rust is too old to build it"

require neap-common.inc
# Written by `cross/supply binaries`, at each release; without it this recipe steps aside.
# nooelint: oelint.file.requireinclude,oelint.file.includenotfound
include neap-binaries.inc

PROVIDES += "neap"

# One file for each machine; checksums are in neap-binaries.inc.
NEAP_TARGET = "none"
NEAP_TARGET:aarch64 = "aarch64-unknown-linux-musl"
# nooelint: oelint.vars.specific
NEAP_TARGET:arm = "armv7-unknown-linux-musleabihf"
NEAP_TARGET:x86-64 = "x86_64-unknown-linux-musl"
COMPATIBLE_HOST = "(arm|aarch64|x86_64).*-linux.*"

SRC_URI += "${NEAP_BINARIES}/${NEAP_TARGET}/small/neap;name=${NEAP_TARGET};downloadfilename=neap-${NEAP_TARGET}-${PV}"

S = "${NEAP_UNPACK}/${BP}"

PACKAGECONFIG ??= ""

# Where neap can be built it is built.
DEFAULT_PREFERENCE = "-1"

# nooelint: oelint.task.noanonpython
python () {
    target = d.getVar('NEAP_TARGET')
    if not d.getVarFlag('SRC_URI', '%s.sha256sum' % target):
        raise bb.parse.SkipRecipe('no binary of neap for %s: cross/build %s, then cross/supply binaries' % (target, target))
}

do_configure[noexec] = "1"

python do_compile() {
    # A file:// address has no checksum of its own in the fetcher, so all of them are checked here.
    import hashlib
    import glob
    target = d.getVar('NEAP_TARGET')
    places = ['${NEAP_UNPACK}/**/${NEAP_TARGET}/small/neap', '${NEAP_UNPACK}/neap-${NEAP_TARGET}-${PV}', '${NEAP_UNPACK}/neap']
    files = [file for place in places for file in glob.glob(d.expand(place), recursive=True)]
    if not files:
        bb.fatal('no binary for %s was unpacked' % target)
    with open(files[0], 'rb') as binary:
        found = hashlib.sha256(binary.read()).hexdigest()
    wanted = d.getVarFlag('SRC_URI', '%s.sha256sum' % target)
    if found != wanted:
        bb.fatal('the binary for %s has the checksum %s, not %s' % (target, found, wanted))
    bb.utils.mkdirhier(d.getVar('B'))
    bb.utils.copyfile(files[0], d.expand('${B}/neap.checked'))
}

do_install() {
    install -d ${D}${bindir}
    install -m 0755 ${B}/neap.checked ${D}${bindir}/neap
    neap_install_files
}

RPROVIDES:${PN} += "neap"
RCONFLICTS:${PN} += "neap"
RREPLACES:${PN} += "neap"

# Stripped and linked statically by cross/build, on purpose.
# nooelint: oelint.vars.insaneskip
INSANE_SKIP:${PN} += "already-stripped ldflags"
