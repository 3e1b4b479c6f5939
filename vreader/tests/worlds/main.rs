//! Private PC/SC worlds: the wire byte by byte, hostile clients, the real libpcsclite, programs under `vreader run`, and
//! worlds kept by `vreader serve`.
//!
//! Nothing here needs root or a pcscd. Each test has worlds of its own, so that all run side by side.

mod echo_card;
mod raw;
mod vreader;

mod control;
mod dialects;
mod hostile;
mod libpcsclite;
mod messages;
mod opensc;
mod programs;
mod tear;
mod trace;
