#!/bin/bash -eu
# Builds every fuzz target into $OUT, each with its committed corpus beside it. ClusterFuzzLite runs this in the image of
# the Dockerfile; elsewhere: SRC and OUT are folders, the project lies in $SRC/card-sim.
cd "$SRC/card-sim"
built=${CARGO_TARGET_DIR:-fuzz/target}
cargo fuzz build --release --debug-assertions --sanitizer "${SANITIZER:-address}" --target-dir "$built"
for target in $(cargo fuzz list); do
    cp "$built/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
    zip --quiet --junk-paths --recurse-paths "$OUT/${target}_seed_corpus.zip" "vectors/fuzz/$target"
done
