//! The three chips that the firmware is built for, and what each of them cannot do.

use std::{path::Path, process::Command};

/// A chip with its build of the firmware.
#[derive(Clone, Copy)]
pub(crate) struct Chip {
    /// The name of the build, and of the folder that it is in.
    pub(crate) name: &'static str,
    /// What it has, for people.
    pub(crate) has: &'static str,
    /// Flash and RAM, in KiB. The linker gives it no more (firmware/device/build.rs).
    pub(crate) flash: u32,
    pub(crate) ram: u32,
    /// Whether it has P-384, and RSA.
    pub(crate) p384: bool,
    pub(crate) rsa: bool,
    /// Longest data field and answer, in bytes, as the answer to SELECT announces it.
    pub(crate) capacity: u16,
    /// Scenarios that it cannot pass, each with the reason.
    pub(crate) left_out: &'static [LeftOut],
}

/// Scenarios of a file that a chip cannot pass.
pub(crate) struct LeftOut {
    pub(crate) because: &'static str,
    pub(crate) scenarios: &'static [&'static str],
}

const SMALL_BUFFERS: LeftOut = LeftOut {
    because: "4 KiB of buffer; these have a facial image of 12 KiB, a chain of 16 KiB or a command of 40 KB",
    scenarios: &[
        "objects that need the PIN",
        "reading in the forms that clients send",
        "long objects",
        "objects that do not fit the card",
        "a chain longer than the card's buffer",
    ],
};

const NO_LARGE_RSA: LeftOut =
    LeftOut { because: "no RSA-3072 and RSA-4096", scenarios: &["an RSA-3072 key", "an RSA-4096 key"] };

const P256_ONLY: LeftOut = LeftOut {
    because: "no P-384 and RSA-2048",
    scenarios: &[
        "a retired key agrees on a secret",
        "the RSA operation of a retired key",
        "a key of another kind in 9E",
        "an RSA-2048 key, with the exponent asked for",
        "CS7",
        "long commands and answers under secure messaging",
        "the virtual contact interface for all",
    ],
};

pub(crate) const CHIPS: [Chip; 3] = [
    Chip {
        name: "small",
        has: "P-256, AES, 3DES",
        flash: 160,
        ram: 32,
        p384: false,
        rsa: false,
        capacity: 4096,
        left_out: &[SMALL_BUFFERS, NO_LARGE_RSA, P256_ONLY],
    },
    Chip {
        name: "full",
        has: "P-256, P-384, RSA-2048, AES, 3DES",
        flash: 320,
        ram: 64,
        p384: true,
        rsa: true,
        capacity: 4096,
        left_out: &[SMALL_BUFFERS, NO_LARGE_RSA],
    },
    Chip {
        name: "all",
        has: "everything",
        flash: 1024,
        ram: 1024,
        p384: true,
        rsa: true,
        capacity: 16384,
        left_out: &[],
    },
];

/// Bytes of flash that a firmware takes: code, constants, and the first values of variables.
pub(crate) fn flash_used(firmware: &Path) -> u32 {
    let output = Command::new("/usr/bin/arm-none-eabi-size").arg(firmware).output();
    let output = output.expect("arm-none-eabi-size runs; tools/install-firmware installs it");
    let text = String::from_utf8_lossy(&output.stdout);
    let row = text.lines().nth(1).unwrap_or_else(|| panic!("no sizes of {}: {text}", firmware.display()));
    row.split_whitespace().take(2).map(|bytes| bytes.parse::<u32>().expect("text and data, in bytes")).sum()
}
