//! A private PC/SC world: readers and cards that exist for the programs that are told of them, and for nobody else.
//!
//! [`World::start`] opens a socket that speaks pcsc-lite's protocol ([`crate::attach::pcsc`]) in a folder for this user
//! alone; a program with [`World::environment`] uses the readers behind it. Nothing is installed, no root is needed, worlds
//! do not see each other, and a world is gone, with its folder, when it is dropped.
//!
//! ```no_run
//! use std::time::Duration;
//! use vreader::{World, trace::What};
//!
//! let world = World::start()?; // one reader with a new PIV card
//! let listed = world.command("opensc-tool").arg("--list-readers").output()?;
//! assert!(String::from_utf8_lossy(&listed.stdout).contains("vreader 00 00"));
//! world.remove()?;
//! world.wait_for(Duration::from_secs(5), |event| event.what == What::Removed)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `world` | the world for whoever writes a test: hands, programs, what happened |
//! | `readers` | readers and their cards, for whoever moves cards |
//! | `cards` | where cards come from |
//! | `control` | the socket by which other processes move cards |
//! | `program` | one program in the world: signals, exit status |
//! | `bind` | the world in the place where programs look that take no directions: `/run/pcscd` |
//! | `ready_card` | cards that were made before |
//! | `folder` | where the sockets are |

pub mod bind;
mod cards;
pub mod control;
mod folder;
pub mod program;
mod readers;
mod ready_card;
mod world;

pub use self::{
    cards::{CardError, CardSource},
    control::Control,
    folder::FolderError,
    readers::{ReaderReport, Readers, ReadersError, SlotReport},
    world::{DEFAULT_READER, NotSeen, World, WorldError, WorldSettings},
};
