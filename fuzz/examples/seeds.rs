//! Writes what each target begins with into `corpus/`, where cargo-fuzz looks for it: its seeds and its committed corpus.

use std::{io, path::Path};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    fuzz::TARGETS.iter().try_for_each(|target| fuzz::corpus::write(target, &corpus.join(target.name)))
}
