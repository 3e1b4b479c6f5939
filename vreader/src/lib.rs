//! A virtual smart-card reader and all around it: attachments, card files, issuing.
//!
//! The card itself is [`card_sim`]; this crate gives it a place to live (a [card file](image)), a
//! [`reader`], doors by which programs reach it ([`attach`]), and a complete identity: a new one ([`issue`]), or that of a
//! test card ([`import`]).

pub mod agent;
pub mod attach;
pub mod card_client;
pub mod check;
pub mod clock;
pub mod clone;
#[cfg(feature = "cms")]
pub mod cms;
pub mod console;
pub mod crypto;
pub mod emulated;
pub mod fuzz;
pub mod image;
pub mod import;
pub mod inspect;
pub mod issue;
pub mod random;
pub mod reader;
pub mod revocation;
pub mod run;
pub mod sm;
pub mod stock;
pub mod trace;

pub use run::World;
