#!/bin/bash
# Builds the packages for one release of Debian, in a tree that holds that release's packages only.
#
#   debian/build.sh RELEASE FOLDER
#
# RELEASE is a suite (bookworm, trixie) and FOLDER gets the packages. The tree is made once and kept
# under .cache/trees; its mirror is the one of this machine. Needs root and mmdebstrap.
set -euo pipefail

release=$1 target=$(realpath -m "$2")
source=$(realpath "$(dirname "$0")/..")
declare -A suffix=([bookworm]='~deb12' [trixie]='~deb13')
[ -n "${suffix[$release]:-}" ] || { echo "no release that packages are made for: $release" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "making Debian's packages needs root" >&2; exit 2; }

mirror() {
    sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' \
        /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -n 1
}

tools() {
    sed -n '/^Build-Depends:/,/^[A-Z]/ s/^ \([a-z0-9-]*\).*/\1/p' "$source/debian/control" |
        sed 's/^debhelper-compat$/debhelper/' | paste -sd,
}

wanted=$(tools)
tree=$source/.cache/trees/build-$release-$(sha256sum <<<"$wanted" | cut -c1-8)
if [ ! -e "$tree/.complete" ]; then
    echo "making a tree of $release with what a build needs (once)"
    rm -rf "$tree"
    mkdir -p "$(dirname "$tree")"
    mmdebstrap --quiet --variant=buildd --include="$wanted,lintian" "$release" "$tree" "$(mirror)"
    touch "$tree/.complete"
fi

work=$(mktemp -d "$tree/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/openrqd"
git -C "$source" ls-files -z --cached --others --exclude-standard |
    while IFS= read -rd '' file; do [ ! -e "$source/$file" ] || printf '%s\0' "$file"; done |
    tar -C "$source" --null -T - -c | tar -C "$work/openrqd" -x
sed -i "1s/)/${suffix[$release]})/" "$work/openrqd/debian/changelog"

echo "building for $release"
inside=/${work##*/}
if ! chroot "$tree" sh -c "cd $inside/openrqd && dpkg-buildpackage -us -uc" > "$work/log" 2>&1; then
    tail -n 40 "$work/log" >&2
    exit 1
fi
echo "lintian"
chroot "$tree" sh -c "cd $inside && lintian --fail-on error,warning --allow-root ./*.changes"
mkdir -p "$target"
rm -f "$target"/openrqd_*.deb "$target"/dummy-cuebot_*.deb
cp "$work"/*.deb "$target"
ls "$target"/*.deb
