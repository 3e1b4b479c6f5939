//! The agent and the manual check at work: threads, limits in real time, a memory on disk, readers behind a socket. The
//! management system is a double ([`double`]); tests with the real one stand among the clients.

mod double;

mod manual;
mod prerequisites;
mod shell;
