#!/bin/sh
# Installs libbellwether for programs in C: shared and static library, header, pkg-config file. From the environment:
#   PREFIX      where programs will find it              /usr/local
#   LIBDIR      libraries                                $PREFIX/lib
#   INCLUDEDIR  the header                               $PREFIX/include
#   DESTDIR     put before all of these while copying    (empty)
#   BUILD       what cargo built                         target/release
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
prefix=${PREFIX:-/usr/local}
libdir=${LIBDIR:-$prefix/lib}
includedir=${INCLUDEDIR:-$prefix/include}
destdir=${DESTDIR:-}
build=${BUILD:-$root/target/release}

for file in libbellwether.so libbellwether.a; do
  if [ ! -e "$build/$file" ]; then
    echo "install.sh: there is no $build/$file; run \"cargo build --release\" first, or set BUILD" >&2
    exit 1
  fi
done
for folder in "$prefix" "$libdir" "$includedir"; do
  case $folder in
    /*) ;;
    *) echo "install.sh: \"$folder\" must be a path from the root on" >&2; exit 1 ;;
  esac
done
version=$(sed -n '/^\[workspace\.package\]/,/^$/s/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml")

# A value as the replacement in a sed command: &, | and \ are not to mean anything.
quoted() { printf '%s' "$1" | sed 's/[&|\\]/\\&/g'; }

install -d "$destdir$libdir/pkgconfig" "$destdir$includedir"
# To a new name and then renamed: a program that runs with the old library keeps it whole.
install -m 755 "$build/libbellwether.so" "$destdir$libdir/libbellwether.so.0.new"
mv -f "$destdir$libdir/libbellwether.so.0.new" "$destdir$libdir/libbellwether.so.0"
ln -sf libbellwether.so.0 "$destdir$libdir/libbellwether.so"
install -m 644 "$build/libbellwether.a" "$destdir$libdir/libbellwether.a"
install -m 644 "$root/include/bellwether.h" "$destdir$includedir/bellwether.h"
sed -e "s|@prefix@|$(quoted "$prefix")|" -e "s|@libdir@|$(quoted "$libdir")|" \
  -e "s|@includedir@|$(quoted "$includedir")|" -e "s|@version@|$version|" \
  "$root/ffi/bellwether.pc.in" > "$destdir$libdir/pkgconfig/bellwether.pc"
chmod 644 "$destdir$libdir/pkgconfig/bellwether.pc"
