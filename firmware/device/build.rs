//! Gives the linker the memory of the chip that the build is for. What does not fit does not link.

use std::{env, fs, path::PathBuf};

/// A chip's memory, in KiB.
struct Chip {
    flash: u32,
    ram: u32,
    /// The part of the RAM that is for the stack.
    stack: u32,
}

/// P-256 only.
const SMALL: Chip = Chip { flash: 160, ram: 32, stack: 27 };
/// P-384 and RSA-2048 too.
const FULL: Chip = Chip { flash: 320, ram: 64, stack: 50 };
/// Everything, without a limit worth the name.
const ALL: Chip = Chip { flash: 1024, ram: 1024, stack: 512 };

fn main() {
    let Chip { flash, ram, stack } =
        match ["ALL", "FULL"].map(|name| env::var_os(format!("CARGO_FEATURE_{name}"))) {
            [Some(_), _] => ALL,
            [None, Some(_)] => FULL,
            [None, None] => SMALL,
        };
    let rest = ram - stack;
    // The stack lies lowest: when it overflows it leaves the RAM, which is a fault, and overwrites nothing.
    let memory = format!(
        "MEMORY {{\n\
           FLASH : ORIGIN = 0x00000000, LENGTH = {flash}K\n\
           STACK : ORIGIN = 0x20000000, LENGTH = {stack}K\n\
           RAM : ORIGIN = 0x20000000 + {stack}K, LENGTH = {rest}K\n\
         }}\n\
         _stack_end = ORIGIN(STACK);\n\
         _stack_start = ORIGIN(STACK) + LENGTH(STACK);\n"
    );
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(folder.join("memory.x"), memory).expect("it can be written to");
    println!("cargo:rustc-link-search={}", folder.display());
    println!("cargo:rerun-if-changed=build.rs");
}
