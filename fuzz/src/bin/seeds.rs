//! Writes what each target begins with into `corpus/`, where cargo-fuzz looks for it.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    for target in fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        fs::create_dir_all(&folder)?;
        for (name, input) in (target.seeds)() {
            fs::write(folder.join(format!("seed-{name}")), input)?;
        }
    }
    Ok(())
}
