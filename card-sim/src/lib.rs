//! card-sim (being written)
#![no_std]
#![forbid(unsafe_code)]
pub mod crypto;
pub mod key;
pub mod platform;
pub mod store;
