//! Eyes for the agent: cards that come and go behind a PC/SC socket.

use std::{path::Path, thread, time::Duration};

use super::{Missing, Sender};
use crate::attach::pcsc::{ReaderEvent, RemoteError, Watcher};

/// Watches all readers behind a socket, in a thread of its own, until the agent or the service ends. Cards that are there
/// already are told of as if they were put in now.
pub fn watch(socket: &Path, agent: Sender) -> Result<(), Missing> {
    let mut watcher = Watcher::new(socket)?;
    tell(&watcher.wait(Duration::ZERO)?, &agent);
    agent.told();
    thread::spawn(move || {
        if let Err(error) = go_on(&mut watcher, &agent) {
            agent.lost(error.into());
        }
    });
    Ok(())
}

/// Tells the agent of everything for as long as it listens.
fn go_on(watcher: &mut Watcher, agent: &Sender) -> Result<(), RemoteError> {
    while tell(&watcher.wait(Duration::MAX)?, agent) {}
    Ok(())
}

/// Whether the agent still listens.
fn tell(events: &[ReaderEvent], agent: &Sender) -> bool {
    events.iter().all(|event| match event {
        ReaderEvent::Inserted(reader) => agent.inserted(&reader.name),
        ReaderEvent::Removed(reader) => agent.removed(&reader.name),
        ReaderEvent::Plugged(_) | ReaderEvent::Unplugged(_) => true,
    })
}
