//! What an authority publishes, as `openssl` and `curl` see it: revocation lists, OCSP answers, and who is let in.
//!
//! Nothing needs root or a card reader: servers and clients meet on loopback, each test with files and ports of its own.

#[path = "../support/bench.rs"]
#[expect(dead_code, reason = "other test programs need more of it")]
mod bench;
#[path = "../support/card_folder.rs"]
#[expect(dead_code, reason = "other test programs need more of it")]
mod card_folder;
mod http;
mod lists;
mod ocsp;
mod office;
mod tls;
