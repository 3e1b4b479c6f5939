//! The card against a model of the security rules: thousands of random sequences of commands, resets and power cuts.
//!
//! After each command the model says whether the card may answer so, and the store must hold what the model holds. After
//! a power cut it must hold the old state or the new one, and for a comparison also the state in which a try is spent.

#[path = "../support/mod.rs"]
mod support;

mod event;

use std::sync::LazyLock;

use card_sim::{
    Card,
    crypto::RustCrypto,
    platform::{Parts, Platform},
    reference::Reference,
    store::{FlashStore, MemoryFlash, Reads, Record, Store, Update},
};
use chacha20::ChaCha20Rng;
use event::{Cut, Event};
use model::{ManagementKey, Model};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use support::{
    MANAGEMENT_KEY, contents,
    cut_flash::{CutFlash, Power},
    object, on,
    persistent::persistent,
    personalise, send,
};

/// Whether the card lets its Global PIN be used.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Plain,
    GlobalPin,
}

/// What the choice of the next event depends on.
#[derive(Clone, Debug)]
struct Plan {
    kind: Kind,
    cuts: usize,
}

struct Events;

impl ReferenceStateMachine for Events {
    type State = Plan;
    type Transition = Event;

    fn init_state() -> BoxedStrategy<Plan> {
        prop::sample::select(vec![Kind::Plain, Kind::GlobalPin])
            .prop_map(|kind| Plan { kind, cuts: 0 })
            .boxed()
    }

    fn transitions(_: &Plan) -> BoxedStrategy<Event> {
        event::any_event().boxed()
    }

    /// Opening a card again costs more than all else.
    fn preconditions(plan: &Plan, event: &Event) -> bool {
        event.cut.is_none() || plan.cuts < 4
    }

    fn apply(plan: Plan, event: &Event) -> Plan {
        Plan { cuts: plan.cuts + usize::from(event.cut.is_some()), ..plan }
    }
}

/// A card on a flash whose power can fail, and what the rules say of it.
struct System {
    card: Card<Parts<ChaCha20Rng, FlashStore<CutFlash>, RustCrypto>>,
    power: Power,
    model: Model,
}

impl System {
    fn open(image: &[u8]) -> Self {
        let (flash, power) = CutFlash::new(image);
        let store = FlashStore::open(flash, Reads::Memory).unwrap();
        let model = Model::new(persistent(&store), ManagementKey(MANAGEMENT_KEY));
        Self { card: on(store), power, model }
    }

    /// A command, and the rest of its answer.
    fn exchange(&mut self, command: &[u8]) {
        let (data, status) = send(&mut self.card, command);
        self.model.judge(command, &data, status).unwrap_or_else(|violation| panic!("{violation}"));
        assert!(
            *self.model.persistent() == persistent(&self.card.platform().parts().store),
            "{command:02X?}"
        );
    }

    /// A command during which the power fails; `false` if it did less than `cut` lets it do.
    fn torn(&mut self, command: &[u8], cut: &Cut) -> bool {
        let states = self.model.after_power_cut(command);
        self.power.cut_after(cut.after, cut.tear);
        let (data, status) = send(&mut self.card, command);
        if !self.power.is_off() {
            self.power.cut_after(usize::MAX, cut.tear);
            self.model.judge(command, &data, status).unwrap_or_else(|violation| panic!("{violation}"));
            return false;
        }
        *self = Self::open(&self.power.medium());
        let found = self.model.persistent();
        assert!(states.contains(found), "{command:02X?}: {found:?} is neither old nor new");
        true
    }
}

/// A fresh card of each kind.
static PLAIN: LazyLock<Vec<u8>> = LazyLock::new(|| image(Kind::Plain));
static GLOBAL_PIN: LazyLock<Vec<u8>> = LazyLock::new(|| image(Kind::GlobalPin));

fn image(kind: Kind) -> Vec<u8> {
    let mut discovery = support::discovery();
    let mut store = FlashStore::format(MemoryFlash::blank(4), Reads::Memory).unwrap();
    if matches!(kind, Kind::GlobalPin) {
        *discovery.1.iter_mut().rev().nth(1).unwrap() = 0x60;
    }
    let objects = [discovery, object(0x5F_C102, &[0x34; 300]), object(0x5F_C109, b"\x01\x06SAMPLE")];
    personalise(&mut store, &objects);
    if matches!(kind, Kind::GlobalPin) {
        let global_pin = [&[2][..], event::FIRST_GLOBAL_PIN].concat();
        store
            .commit(&[
                Update::Write(Record::ReferenceData(Reference::GlobalPin), &global_pin),
                Update::Write(Record::RetryCounter(Reference::GlobalPin), &[2]),
            ])
            .unwrap();
    }
    store.image().unwrap().to_vec()
}

struct CardAgainstModel;

impl StateMachineTest for CardAgainstModel {
    type SystemUnderTest = System;
    type Reference = Events;

    fn init_test(plan: &Plan) -> System {
        System::open(match plan.kind {
            Kind::Plain => &PLAIN,
            Kind::GlobalPin => &GLOBAL_PIN,
        })
    }

    fn apply(mut system: System, _: &Plan, event: Event) -> System {
        if event.resets() {
            system.card.reset();
            system.model.reset();
            return system;
        }
        let commands = event.commands(&system.model);
        let (last, parts) = commands.split_last().expect("an event is one command at least");
        for part in parts {
            system.exchange(part);
        }
        match &event.cut {
            Some(cut) => {
                system.torn(last, cut);
            }
            None => system.exchange(last),
        }
        system
    }

    fn teardown(mut system: System, _: Plan) {
        contents::contents(&system.card.platform().parts().store).unwrap();
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 8 * ProptestConfig::default().cases, max_shrink_iters: 20_000, max_shrink_time: 30_000, ..ProptestConfig::default() })]

    #[test]
    fn the_card_keeps_the_rules(sequential 1..60 => CardAgainstModel);
}
