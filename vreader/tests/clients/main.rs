//! Programs of other people hold a card of ours: what they read, sign and decrypt is held against answers
//! that openssl computes from the card's certificates.
//!
//! Each test has a world of its own ([`world`]), so that all run side by side. Most clients run as users run them, under
//! `vreader run` or beside `vreader serve`: no root, no pcscd. [`attachment`] and [`same_exchange`] have Debian's pcscd
//! with vpcd in private namespaces. A client that is not installed is a failure: `tools/install-clients` installs
//! them, and four scripts build what no package has: `tools/install-opensc-sm`, `install-p11test`, `install-cackey`,
//! `install-yubikey-crate`.

mod card;
#[path = "../support/card_folder.rs"]
#[expect(dead_code, reason = "another test program needs more of it")]
mod card_folder;
mod companion;
mod openssl;
mod pcscd;
mod python;
mod serve;
#[path = "../worlds/vreader.rs"]
#[expect(dead_code, reason = "the other test program needs more of it")]
mod vreader;
mod world;

mod apdu;
mod attachment;
mod cac;
mod cackey;
mod card_check;
mod choices;
mod clone;
mod events;
mod flows;
mod import;
mod opensc_sm;
mod opensc_tool;
mod p11test;
mod piv_tool;
mod pkcs11_tool;
mod pkcs15_tool;
mod pyscard;
mod same_exchange;
mod ssh;
mod tls;
mod touch;
mod ykcs11;
mod ykman;
mod yubico_piv_tool;
mod yubikey_bio;
mod yubikey_crate;
mod yubikey_info;
mod yubikey_objects;
mod yubikey_pcscd;
mod yubikey_series;
mod yubikey_together;
