require neap-common.inc
require neap-crates.inc

SRC_URI += "\
    file://Cargo.toml;subdir=${BP} \
    file://Cargo.lock;subdir=${BP} \
    file://.cargo;subdir=${BP} \
    file://src;subdir=${BP} \
    file://benches;subdir=${BP} \
    file://docs/protocol.md;subdir=${BP} \
    file://docs/records.md;subdir=${BP} \
    file://run-ptest \
"

inherit cargo ptest
# Series before 5.0 have no such class; the recipe steps aside there in any case.
# nooelint: oelint.var.inherit.inherit_defer
inherit ${@'cargo-update-recipe-crates' if bb.utils.which(d.getVar('BBPATH'), 'classes-recipe/cargo-update-recipe-crates.bbclass') else ''}

PACKAGECONFIG ??= "small"
PACKAGECONFIG[small] = ",,"

# Crates with C and assembler are compiled below cargo_home, beside S and B.
DEBUG_PREFIX_MAP += "-ffile-prefix-map=${NEAP_UNPACK}=${TARGET_DBGSRC_DIR}"

# The profile strips; the image's own split into -dbg wants the symbols.
CARGO_BUILD_FLAGS += "--bin neap --config profile.release.strip=false"
CARGO_BUILD_FLAGS += "${@bb.utils.contains('PACKAGECONFIG', 'small', '--config profile.release.opt-level=\\"z\\"', '', d)}"

# nooelint: oelint.task.noanonpython
python () {
    # Edition 2024 and our crates; an older compiler stops at the first file with less clear words.
    needed, found = (1, 85), (d.getVar('RUSTVERSION') or '0.0').strip('%').split('.')
    if tuple(int(part) for part in found[:2]) < needed:
        raise bb.parse.SkipRecipe('neap needs Rust 1.85, this series has %s: use neap-bin, or a layer with a newer Rust'
                                  % '.'.join(found))
}

do_install:append() {
    neap_install_files
}

# The unit tests of the library, compiled for the device; in a folder of their own, since the program lies beside
# its libraries under a name of the same form.
do_compile_ptest() {
    export RUSTFLAGS="${RUSTFLAGS}"
    ${CARGO} test --no-run --lib -v --frozen --target ${RUST_HOST_SYS} --target-dir ${B}/ptest --release \
        --manifest-path=${CARGO_MANIFEST_PATH} --config profile.release.lto=false
}

do_install_ptest() {
    for one in ${B}/ptest/${CARGO_TARGET_SUBDIR}/deps/neap-*; do
        case $one in *.*) continue ;; esac
        install -m 0755 $one ${D}${PTEST_PATH}/unit-tests
    done
    install -d ${D}${PTEST_PATH}/media
}

RDEPENDS:${PN}-ptest += "${PN}"
