//! Cards of a world: made with `vreader card new`, always the same.

use std::path::Path;

use crate::vreader::require;
use crate::world::{Attachment, World};

/// The program under test.
pub(crate) const VREADER: &str = env!("CARGO_BIN_EXE_vreader");

/// PIN and PUK of every sample card, and a PIN that is wrong.
pub(crate) const PIN: &str = "123456";
pub(crate) const PUK: &str = "12345678";
pub(crate) const WRONG_PIN: &str = "000000";

/// The card file of a world with one card.
pub(crate) const CARD: &str = "test.card";

/// The path of OpenSC's PKCS#11 module, for programs that must be told.
pub(crate) fn opensc_module() -> String {
    library("opensc-pkcs11.so")
}

/// The path of a library in Debian's folder for this machine's architecture.
pub(crate) fn library(name: &str) -> String {
    let path = format!("/usr/lib/{}-linux-gnu/{name}", std::env::consts::ARCH);
    require(&path);
    path
}

/// The path of a program or library that one of the tools builds, because no package of Debian has it as the tests need it.
pub(crate) fn built(path: &str, tool: &str) -> String {
    let path = format!("{}/../target/clients/{path}", env!("CARGO_MANIFEST_DIR"));
    assert!(Path::new(&path).exists(), "{path} is not there: run tools/{tool}");
    path
}

impl<A: Attachment> World<A> {
    /// Makes a card file, and the certificates of its PKI in the folder `pki`. Always the same card for the
    /// same options.
    pub(crate) fn new_card(&self, file: &str, options: &[&str]) {
        let seed = ["--seed", "1"];
        let seed = if options.contains(&"--seed") { &[][..] } else { &seed };
        self.tool(VREADER)
            .args(["card", "new", file, "--export-ca", "pki"])
            .args(seed)
            .args(options)
            .succeeds();
    }
}
