//! Eyes for the agent: cards that come and go behind a PC/SC socket.

use std::{path::Path, thread, time::Duration};

use super::{Missing, Sender};
use crate::attach::pcsc::{ReaderEvent, RemoteError, Watcher};

/// Watches all readers behind a socket, in a thread of its own, until the agent or the service ends. Cards that are there
/// already are told of as if they were put in now.
pub fn watch(socket: &Path, agent: Sender) -> Result<(), Missing> {
    let mut watcher = Watcher::new(socket)?;
    thread::spawn(move || {
        if let Err(error) = tell(&mut watcher, &agent) {
            agent.lost(error.into());
        }
    });
    Ok(())
}

/// Tells the agent of everything for as long as it listens.
fn tell(watcher: &mut Watcher, agent: &Sender) -> Result<(), RemoteError> {
    loop {
        for event in watcher.wait(Duration::MAX)? {
            let listens = match event {
                ReaderEvent::Inserted(reader) => agent.inserted(&reader.name),
                ReaderEvent::Removed(reader) => agent.removed(&reader.name),
                ReaderEvent::Plugged(_) | ReaderEvent::Unplugged(_) => true,
            };
            if !listens {
                return Ok(());
            }
        }
    }
}
