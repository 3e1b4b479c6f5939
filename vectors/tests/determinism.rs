//! Seed in, same bytes out: two cards that begin alike answer everything alike.

mod common;

use std::cell::RefCell;
use std::rc::Rc;

use common::{RefusedBy, TestCard};
use vectors::files;
use vectors::scenario::{Script, Target, run};

type Log = Rc<RefCell<Vec<Vec<u8>>>>;

/// Writes down every answer.
struct Recorder(TestCard, Log);

impl Target for Recorder {
    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        let answer = self.0.transmit(command);
        self.1.borrow_mut().push(answer.clone());
        answer
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn power_off(&mut self) {
        self.0.power_off();
    }

    fn power_on(&mut self) {
        self.0.power_on();
    }

    fn power_on_contactless(&mut self) {
        self.0.power_on_contactless();
    }
}

#[test]
fn the_same_commands_get_the_same_answers() {
    for name in ["general_authenticate_9B.scn", "generate_asymmetric_key_pair.scn"] {
        let script = Script::load(&files::own("scenarios").join(name), &files::own("cards")).unwrap();
        let answers = || {
            let (log, refused_by) = (Log::default(), RefusedBy::default());
            run(&script, |values| Recorder(TestCard::new(values, &refused_by), Rc::clone(&log)));
            log.take()
        };
        let first = answers();
        assert!(first.len() > 50, "{name}: {} answers", first.len());
        assert!(first == answers(), "{name}: the second run was answered otherwise");
    }
}
