//! Programs of other people hold a card of ours: what they read, sign and decrypt is held against answers
//! that openssl computes from the card's certificates.
//!
//! Each test has a private world ([`world`]) with Debian's pcscd and vpcd, and the real `vreader vpcd` plugs
//! the card in. A client that is not installed is a failure: `tools/install-clients` installs them all.

mod card;
mod openssl;
mod world;

mod attachment;
mod events;
mod opensc_tool;
mod piv_tool;
mod pkcs11_tool;
mod pkcs15_tool;
