//! Random calls of several clients against a small model that says the rules in the plainest way.
//!
//! A step is a line of [`Script`]; a failure prints the lines, ready to become a row of a table.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::script::Script;

/// How long an unused card keeps its power, in ms.
const GRACE: u64 = 600;

#[derive(Clone, Default)]
struct Card {
    offers: Vec<&'static str>,
    powered: bool,
    shown: u32,
}

#[derive(Clone, Default)]
struct Handle {
    notice: Option<&'static str>,
    asked: Option<u64>,
}

#[derive(Clone)]
struct Wait {
    call: String,
    since: u64,
    lock: bool,
    card: bool,
}

/// One reader, its card, one handle for each client.
#[derive(Clone, Default)]
struct Model {
    now: u64,
    off_at: Option<u64>,
    card: Option<Card>,
    protocol: Option<&'static str>,
    counter: u32,
    handles: BTreeMap<char, Handle>,
    exclusive: bool,
    lock: Option<(char, u32)>,
    /// Who runs a command, and whether the card has been taken out meanwhile.
    lent: Option<char>,
    evicted: BTreeSet<char>,
    waits: BTreeMap<char, Wait>,
    /// What the last call that waits waits for: the card, or the reader.
    blocked_by_card: bool,
    /// It waits for the card, and its turn with the reader has come.
    blocked_in_turn: bool,
    calls: u64,
}

impl Model {
    /// What the line comes to. `None`: it waits.
    fn line(&mut self, line: &str) -> Option<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["card", "insert", kind @ ..] => Some(self.insert(kind)),
            ["card", "remove"] => Some(self.remove()),
            ["card", "reset"] => self.reset_by_hand(),
            ["time", now] => {
                self.advance(now.parse().unwrap());
                ok()
            }
            [who, "gives", "up"] => {
                self.waits.remove(&letter(who));
                ok()
            }
            [who, "again"] => {
                let call = self.waits[&letter(who)].call.clone();
                self.call(letter(who), &call)
            }
            [who, rest @ ..] => self.call(letter(who), &rest.join(" ")),
            [] => unreachable!("no empty lines"),
        }
    }

    fn call(&mut self, who: char, call: &str) -> Option<String> {
        self.calls += 1;
        self.blocked_in_turn = false;
        let since = self.since(who, call);
        let outcome = self.attempt(who, call, since);
        if outcome.is_some() {
            self.waits.remove(&who);
        } else {
            let wait = Wait { call: call.into(), since, lock: false, card: false };
            let wait = self.waits.entry(who).or_insert(wait);
            wait.card = self.blocked_by_card;
            wait.lock |= !self.blocked_by_card || self.blocked_in_turn;
        }
        outcome
    }

    /// When the call was made first.
    fn since(&self, who: char, call: &str) -> u64 {
        let asked = self.handles.get(&who).and_then(|handle| handle.asked).filter(|_| call == "begin");
        self.waits.get(&who).map(|wait| wait.since).or(asked).unwrap_or(self.calls)
    }

    fn attempt(&mut self, who: char, call: &str, since: u64) -> Option<String> {
        let words: Vec<&str> = call.split_whitespace().collect();
        match words.as_slice() {
            ["connect", mode, protocols] => return self.connect(who, mode, protocols, since),
            ["dies"] => return self.die(who, since),
            ["returns"] => return Some(self.take_back(who)),
            _ => {}
        }
        let Some(handle) = self.handles.get(&who).cloned() else { return word("foreign") };
        let foreign_lock = self.lock.is_some_and(|(owner, _)| owner != who);
        match words.as_slice() {
            ["begin"] => {
                if handle.notice.is_some() {
                    return word(handle.notice?);
                }
                let own = self.lock.is_some_and(|(owner, _)| owner == who);
                let granted = own || self.reader_is_free(who, since);
                self.handles.get_mut(&who)?.asked = (!granted).then_some(since);
                granted.then(|| self.enter(who));
                granted.then(|| "ok".into())
            }
            ["disconnect", disposition] => self.disconnect(who, disposition, since),
            ["control", _] if !foreign_lock => word("UnsupportedFeature"),
            ["reconnect", mode, protocols, how] => {
                if none_wanted(mode, protocols) {
                    return word("ProtocolMismatch");
                }
                if foreign_lock {
                    word("SharingViolation")
                } else {
                    self.reconnect(who, mode, protocols, how, since)
                }
            }
            ["end", ..] if handle.notice.is_some() => word(handle.notice?),
            _ if foreign_lock => word("SharingViolation"),
            ["end", disposition] => self.end(who, disposition, since),
            _ if handle.notice.is_some() => word(handle.notice?),
            ["status"] => ok(),
            ["setattrib"] => word("UnsupportedFeature"),
            ["transmit" | "borrow", protocol] => self.transmit(who, words[0], protocol, since),
            _ => unreachable!("{call}"),
        }
    }

    fn connect(&mut self, who: char, mode: &str, protocols: &str, since: u64) -> Option<String> {
        if none_wanted(mode, protocols) {
            return word("ProtocolMismatch");
        }
        if self.exclusive {
            return word("SharingViolation");
        }
        if !self.reader_is_free(who, since) {
            return None;
        }
        let outcome = self.prepare(mode, protocols).and_then(|protocol| {
            if mode == "exclusive" && !self.handles.is_empty() {
                return Err(format!("NotExclusive {protocol}"));
            }
            self.handles.insert(who, Handle::default());
            if mode == "exclusive" {
                self.exclusive = true;
                self.enter(who);
            }
            Ok(protocol.to_owned())
        });
        if outcome.is_err() {
            self.rest();
        }
        Some(outcome.unwrap_or_else(|code| code))
    }

    fn prepare(&mut self, mode: &str, protocols: &str) -> Result<&'static str, String> {
        if mode != "direct" {
            let Some(card) = &self.card else { return Err("NoSmartcard".into()) };
            if !card.powered && !self.wake() {
                return Err("UnpoweredCard".into());
            }
            self.off_at = None;
        }
        self.choose(mode, protocols)
    }

    fn choose(&mut self, mode: &str, protocols: &str) -> Result<&'static str, String> {
        let wanted = wanted(protocols);
        let offers = self.card.as_ref().map(|card| card.offers.clone()).unwrap_or_default();
        let possible = ["T1", "T0"].into_iter().find(|p| wanted.contains(p) && offers.contains(p));
        self.protocol = match self.protocol {
            _ if wanted.contains(&"RAW") => Some("RAW"),
            chosen if mode == "direct" => chosen,
            None => Some(possible.ok_or("ProtocolMismatch")?),
            Some(chosen) if wanted.contains(&chosen) => Some(chosen),
            Some(_) => return Err("ProtocolMismatch".into()),
        };
        Ok(self.protocol.unwrap_or("none"))
    }

    fn reconnect(&mut self, who: char, mode: &str, protocols: &str, how: &str, since: u64) -> Option<String> {
        if how == "leave" {
            match self.card.clone() {
                None => return word("NoSmartcard"),
                Some(card) if card.shown == 0x0C => return word("UnresponsiveCard"),
                Some(card) if mode == "direct" || card.powered => {}
                Some(_) if self.wake() => {}
                Some(_) => return word("UnresponsiveCard"),
            }
        } else {
            if !self.card_is_free(who, since) {
                return None;
            }
            match self.reset() {
                None => return word("NoSmartcard"),
                Some(false) => return word("UnresponsiveCard"),
                Some(true) => {}
            }
        }
        let protocol = match self.choose(mode, protocols) {
            Ok(protocol) => protocol,
            Err(code) => return word(&code),
        };
        if mode != "direct" {
            self.off_at = None;
        }
        match (mode, self.exclusive) {
            ("exclusive", _) if self.handles.len() > 1 => return word(&format!("NotExclusive {protocol}")),
            ("exclusive", true) if self.lock.is_some() => {}
            ("exclusive", _) => {
                self.exclusive = true;
                self.enter(who);
            }
            (_, true) => {
                self.exclusive = false;
                self.leave();
            }
            (_, false) => {}
        }
        self.handles.get_mut(&who)?.notice = None;
        word(protocol)
    }

    fn disconnect(&mut self, who: char, disposition: &str, since: u64) -> Option<String> {
        let own = self.lock.is_some_and(|(owner, _)| owner == who);
        if disposition != "leave" && !own && !self.reader_is_free(who, since) {
            return None;
        }
        if ["reset", "unpower"].contains(&disposition) && !self.card_is_free(who, since) {
            self.blocked_in_turn = !own;
            return None;
        }
        if disposition == "reset" {
            self.reset();
        }
        if disposition == "unpower" && self.card.is_some() {
            self.notify("ResetCard");
            self.unpower();
            self.card.as_mut()?.shown = 0x04;
        }
        self.close(who);
        ok()
    }

    fn end(&mut self, who: char, disposition: &str, since: u64) -> Option<String> {
        let mut code = "ok";
        if ["reset", "unpower"].contains(&disposition) {
            if !self.card_is_free(who, since) {
                return None;
            }
            code = match self.reset() {
                None => "RemovedCard",
                Some(false) => "NotTransacted",
                Some(true) => "ok",
            };
        }
        let depth = self.lock.map_or(0, |(_, depth)| depth);
        if depth > u32::from(self.exclusive) {
            self.leave();
        } else if code == "ok" {
            code = "NotTransacted";
        }
        word(code)
    }

    fn transmit(&mut self, who: char, kind: &str, protocol: &str, since: u64) -> Option<String> {
        let Some(card) = self.card.clone() else { return word("NoSmartcard") };
        if !["RAW", "old", self.protocol.unwrap_or("none")].contains(&protocol) {
            return word("ProtocolMismatch");
        }
        if !self.card_is_free(who, since) {
            return None;
        }
        if !card.powered {
            return word("NotTransacted");
        }
        if kind == "borrow" {
            self.lent = Some(who);
            return ok();
        }
        word("00A49000")
    }

    fn take_back(&mut self, who: char) -> String {
        if self.lent == Some(who) {
            self.lent = None;
            return "ok".into();
        }
        self.evicted.remove(&who);
        "evicted".into()
    }

    fn die(&mut self, who: char, since: u64) -> Option<String> {
        let noticed = self.handles.get(&who).is_some_and(|handle| handle.notice.is_some());
        if self.lock.is_some_and(|(owner, _)| owner == who) && !noticed {
            if !self.card_is_free(who, since) {
                return None;
            }
            self.reset();
        }
        self.close(who);
        ok()
    }

    // Hands.

    fn insert(&mut self, kind: &[&str]) -> String {
        if self.card.is_some() {
            return "Occupied".into();
        }
        let offers = match kind {
            [] => vec!["T0", "T1"],
            ["T0"] => vec!["T0"],
            ["T1"] => vec!["T1"],
            _ => vec![],
        };
        self.card = Some(Card { offers, ..Card::default() });
        self.off_at = self.wake().then_some(self.now + GRACE);
        self.counter += 1;
        "ok".into()
    }

    fn remove(&mut self) -> String {
        if self.card.take().is_none() {
            return "Empty".into();
        }
        self.counter += 1;
        self.protocol = None;
        self.lock = None;
        self.off_at = None;
        for handle in self.handles.values_mut() {
            handle.notice = Some("RemovedCard");
        }
        let borrower = self.lent.take();
        self.evicted.extend(borrower);
        if borrower.is_some() { "later" } else { "ok" }.into()
    }

    fn reset_by_hand(&mut self) -> Option<String> {
        if self.card.is_none() {
            return word("Empty");
        }
        if !self.card_is_free('-', u64::MAX) {
            return None;
        }
        self.reset();
        self.rest();
        ok()
    }

    fn advance(&mut self, now: u64) {
        self.now = self.now.max(now);
        if self.lent.is_none() && self.off_at.is_some_and(|at| at <= self.now) {
            self.unpower();
        }
    }

    // What calls have in common.

    /// Nobody is in a transaction, and nobody asked earlier.
    fn reader_is_free(&mut self, who: char, since: u64) -> bool {
        self.blocked_by_card = false;
        self.lock.is_none() && self.waits.iter().all(|(other, w)| *other == who || !w.lock || w.since > since)
    }

    /// Nobody runs a command, and nobody asked earlier.
    fn card_is_free(&mut self, who: char, since: u64) -> bool {
        self.blocked_by_card = true;
        self.lent.is_none() && self.waits.iter().all(|(other, w)| *other == who || !w.card || w.since > since)
    }

    fn enter(&mut self, who: char) {
        self.lock = Some((who, self.lock.map_or(0, |(_, depth)| depth) + 1));
    }

    fn leave(&mut self) {
        self.lock = self.lock.map(|(who, depth)| (who, depth - 1)).filter(|(_, depth)| *depth > 0);
    }

    fn notify(&mut self, notice: &'static str) {
        for handle in self.handles.values_mut() {
            handle.notice.get_or_insert(notice);
        }
    }

    /// Whether the card answered; nothing without a card.
    fn reset(&mut self) -> Option<bool> {
        self.card.as_ref()?;
        self.notify("ResetCard");
        Some(self.wake())
    }

    /// Resets the card, or gives it power; whether it answers. One that does not is left without power.
    fn wake(&mut self) -> bool {
        self.protocol = None;
        let Some(card) = &mut self.card else { return false };
        card.powered = !card.offers.is_empty();
        card.shown = if card.powered { 0x34 } else { 0x0C };
        self.off_at = self.off_at.filter(|_| card.powered);
        card.powered
    }

    fn unpower(&mut self) {
        self.protocol = None;
        self.off_at = None;
        if let Some(card) = &mut self.card {
            card.powered = false;
        }
    }

    fn close(&mut self, who: char) {
        if self.lock.is_some_and(|(owner, _)| owner == who) {
            self.lock = None;
        }
        if self.handles.remove(&who).is_some() {
            self.exclusive = false;
            self.rest();
        }
    }

    fn rest(&mut self) {
        if self.handles.is_empty() {
            let powered = self.card.as_ref().is_some_and(|card| card.powered);
            self.off_at = powered.then_some(self.now + GRACE);
        }
    }

    fn state(&self) -> String {
        let sharing = if self.exclusive { "-1".into() } else { self.handles.len().to_string() };
        let shown = self.card.as_ref().map_or(0x02, |card| card.shown);
        format!("{shown:02X} {sharing} {} {}", self.protocol.unwrap_or("none"), self.counter)
    }
}

fn letter(who: &str) -> char {
    who.chars().next().unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "what a call comes to, beside `None`, which waits")]
fn word(word: &str) -> Option<String> {
    Some(word.into())
}

fn ok() -> Option<String> {
    word("ok")
}

fn wanted(protocols: &str) -> Vec<&str> {
    match protocols {
        "none" => vec![],
        "old" => vec!["T0", "T1"],
        set => set.split('|').collect(),
    }
}

fn none_wanted(mode: &str, protocols: &str) -> bool {
    mode != "direct" && protocols == "none"
}

/// Lines that a client or a hand may want to write; which of them make sense just now is seen later.
fn line() -> impl Strategy<Value = String> {
    let who = || prop::sample::select(vec!["A", "B", "C", "D"]);
    let mode = || prop::sample::select(vec!["shared", "shared", "shared", "exclusive", "direct"]);
    let protocols = || prop::sample::select(vec!["T0|T1", "T0|T1", "T1", "T0", "RAW", "old", "none"]);
    let how = || prop::sample::select(vec!["leave", "leave", "reset", "unpower"]);
    let disposition = || prop::sample::select(vec!["leave", "leave", "reset", "unpower", "eject"]);
    let pci = || prop::sample::select(vec!["T1", "T1", "T0", "RAW", "old"]);
    let kind = prop::sample::select(vec!["", "", "", "T0", "T1", "mute"]);
    prop_oneof![
        6 => (who(), mode(), protocols()).prop_map(|(a, b, c)| format!("{a} connect {b} {c}")),
        3 => (who(), mode(), protocols(), how()).prop_map(|(a, b, c, d)| format!("{a} reconnect {b} {c} {d}")),
        2 => (who(), disposition()).prop_map(|(a, b)| format!("{a} disconnect {b}")),
        5 => who().prop_map(|a| format!("{a} begin")),
        4 => (who(), disposition()).prop_map(|(a, b)| format!("{a} end {b}")),
        3 => (who(), pci()).prop_map(|(a, b)| format!("{a} transmit {b}")),
        3 => (who(), pci()).prop_map(|(a, b)| format!("{a} borrow {b}")),
        5 => who().prop_map(|a| format!("{a} returns")),
        1 => who().prop_map(|a| format!("{a} status")),
        1 => who().prop_map(|a| format!("{a} setattrib")),
        1 => who().prop_map(|a| format!("{a} control 42000001")),
        1 => who().prop_map(|a| format!("{a} dies")),
        1 => who().prop_map(|a| format!("{a} gives up")),
        3 => kind.prop_map(|kind| format!("card insert {kind}")),
        1 => Just("card remove".to_owned()),
        1 => Just("card reset".to_owned()),
        1 => (0..20_u64).prop_map(|tenths| format!("time +{}", tenths * 100)),
    ]
}

/// The line, if it makes sense now: a client makes one call at a time and has one handle.
fn sensible(model: &Model, line: &str) -> Option<String> {
    if let Some(milliseconds) = line.strip_prefix("time +") {
        return Some(format!("time {}", model.now + milliseconds.parse::<u64>().unwrap()));
    }
    let (who, what) = line.split_once(' ').unwrap();
    if who == "card" {
        return Some(line.trim().into());
    }
    let who = letter(who);
    let waits = model.waits.contains_key(&who);
    let borrows = model.lent == Some(who) || model.evicted.contains(&who);
    let is_sensible = match what {
        "gives up" => waits,
        "returns" => borrows,
        _ if waits || borrows => false,
        _ if what.starts_with("connect") => !model.handles.contains_key(&who),
        _ => true,
    };
    is_sensible.then(|| line.into())
}

/// Makes a step in both worlds and compares.
fn both(model: &mut Model, world: &mut Script, line: &str, story: &mut Vec<String>) {
    let expected = model.line(line).unwrap_or_else(|| "waits".into());
    story.push(format!("{line} = {expected}"));
    let outcome = world.line(line);
    let story = || format!("after\n{}", story.join("\n"));
    assert_eq!(outcome, expected, "{}", story());
    assert_eq!(world.line("state"), model.state(), "{}", story());
    if let Some(card) = &model.card {
        assert_eq!(world.has_power(), card.powered, "power, {}", story());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_calls_do_what_the_model_says(lines in prop::collection::vec(line(), 1..120)) {
        let (mut model, mut world, mut story) = (Model::default(), Script::new(), Vec::new());
        for line in lines {
            let Some(line) = sensible(&model, &line) else { continue };
            both(&mut model, &mut world, &line, &mut story);
            loop {
                let ready = world.ready();
                if ready.is_empty() {
                    break;
                }
                prop_assert!(story.len() < 2000, "the same are woken again and again, after\n{}", story.join("\n"));
                for who in ready {
                    if model.waits.contains_key(&letter(&who)) {
                        both(&mut model, &mut world, &format!("{who} again"), &mut story);
                    }
                }
            }
            for who in model.waits.keys() {
                let left = model.clone().line(&format!("{who} again"));
                prop_assert_eq!(left, None, "{} was not woken, after\n{}", who, story.join("\n"));
            }
        }
    }
}
