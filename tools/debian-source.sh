# Building a client program from Debian's source: what the install-* scripts beside this file have in common. They read it, and set
#   what     the program in words            archive  the file with its source, in Debian's pool under
#   script   the script's name               pool     this folder
#   prefix   where the program is put        sha256   the file's digest
#   built    all that the result depends on
#
# Nothing is installed in the system: the source is put into target/clients, and what comes of it into $prefix. The source comes
# from the mirror that apt has. Without one, put the file there yourself; the scripts then say its name.
#
# Exit status of the scripts: 0 there, 1 not there, 2 wrong usage.
# shellcheck shell=sh disable=SC2154 # the scripts set them

clients=$PWD/target/clients

fail() {
    echo "$1" >&2
    exit 1
}

# Ends the script if the program is there, or is only to be looked for.
begin() {
    case $#:${1-} in
        0:) check_only=no ;;
        1:--check) check_only=yes ;;
        *)
            echo "usage: tools/$script [--check]" >&2
            exit 2
            ;;
    esac
    stamp=$prefix/built
    if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$built" ]; then
        echo "$what is built"
        exit 0
    fi
    if [ $check_only = yes ]; then
        fail "$what is missing: tools/$script builds it"
    fi
    mkdir -p "$clients"
    cd "$clients"
}

# What building it takes.
need_programs() {
    for program; do
        command -v "$program" >/dev/null || fail "building $what needs $program: tools/install-clients installs it, as root"
    done
}

is_right() {
    echo "$sha256  $archive" | sha256sum --check --status
}

# apt's own downloader, so that its proxy and its mirror are used. A mirror of security updates does not have the file.
download() {
    helper=/usr/lib/apt/apt-helper
    [ -x $helper ] || return 1
    for mirror in $(apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Created-By: Packages' | sort -u); do
        if $helper download-file "${mirror}pool/main/$pool/$archive" "$archive" "SHA256:$sha256" >>download.log 2>&1; then
            return 0
        fi
    done
    return 1
}

fetch() {
    if [ -e "$archive" ]; then
        is_right || fail "target/clients/$archive has another SHA-256 than $sha256: remove it, or put the right file there"
        return
    fi
    echo "fetching Debian's source of $what"
    rm -f download.log
    download || fail "$archive could not be had from apt's mirrors (target/clients/download.log says why).
Put that file, of SHA-256 $sha256, into target/clients yourself: Debian's pool has it in main/$pool."
    is_right || fail "what apt fetched is not the file of SHA-256 $sha256"
}

# A step's many lines go to a file, of which the end is shown when it fails.
step() {
    echo "$1"
    shift
    "$@" >build.log 2>&1 || {
        tail -n 20 build.log >&2
        fail "building $what failed: that was the end of target/clients/build.log"
    }
}

# The source's folder, and what is unpacked of it if not all.
unpack() {
    folder=$1
    shift
    rm -rf "$folder" "$prefix" && mkdir "$folder" &&
        tar --extract --file "$archive" --directory "$folder" --strip-components 1 --wildcards "$@"
}

# The source's folder goes, the program stays.
finish() {
    rm -rf "$1"
    echo "$built" >"$stamp"
    echo "$what is built"
}
