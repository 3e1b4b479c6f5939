//! The host's threads for work that falls into two halves.

use std::thread;

use card_sim::crypto::{Join, OneAfterAnother};

/// Does the first piece of work in a thread of its own, the second in the caller's.
pub struct TwoThreads;

impl Join for TwoThreads {
    fn join(first: &mut (dyn FnMut() + Send), second: &mut (dyn FnMut() + Send)) {
        let started = thread::scope(|scope| {
            let begun = thread::Builder::new().name("RSA".into()).spawn_scoped(scope, &mut *first).is_ok();
            if begun {
                second();
            }
            begun
        });
        // A system that gives no thread gets its work done all the same.
        if !started {
            OneAfterAnother::join(first, second);
        }
    }
}
