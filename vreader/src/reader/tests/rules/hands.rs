//! Cards and readers that come, go and fail, and time.

use super::check;

#[test]
fn insertion_and_removal() {
    check(&[
        ("no card", "state = 02 0 none 0"),
        ("insertion", "card insert; state = 34 0 none 1; diary = on"),
        ("insertion of a mute card", "card insert mute; state = 0C 0 none 1; diary = on off"),
        (
            "removal",
            "card insert; A connect shared T1 = T1; card remove; state = 02 1 none 2; diary = on off",
        ),
        (
            "removal ends transactions and tells all handles",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A begin; card remove
             A status = RemovedCard; B status = RemovedCard; C connect direct none = none",
        ),
        (
            "handles to a reader without a card go on when one comes",
            "A connect direct none = none; card insert; A status; A reconnect shared T1 leave = T1",
        ),
        ("one card at a time", "card insert; card insert = Occupied"),
        ("none to remove", "card remove = Empty; card reset = Empty"),
        ("a card whose code fails", "card insert broken; state = 02 0 none 2"),
        (
            "a reset by hand",
            "card insert; A connect shared T1 = T1; card reset; A status = ResetCard; state = 34 1 none 1; diary = on reset",
        ),
        (
            "a reset by hand of a card that lost its power",
            "card insert; time 600; card reset; diary = on off on; time 1199; diary =; time 1200; diary = off",
        ),
    ]);
}

#[test]
fn unplugging() {
    check(&[
        (
            "open handles",
            "card insert; A connect shared T1 = T1; reader unplug; state = none
             A status = ReaderUnavailable; A transmit T1 = InvalidValue; A begin = InvalidValue; A end leave = InvalidValue
             A reconnect shared T1 leave = InvalidValue; A attrib 00010100 = InvalidValue; A control 42000D48 = InvalidValue
             A setattrib = InvalidValue; A disconnect reset; A disconnect leave = foreign",
        ),
        (
            "a new reader of the same name is another",
            "card insert; A connect shared T1 = T1; reader unplug; reader plug; state = 02 0 none 0; A status = ReaderUnavailable",
        ),
        ("is counted", "reader events = 2; reader unplug; reader events = 3; reader plug; reader events = 4"),
    ]);
}

#[test]
fn failing() {
    check(&[
        ("is seen", "card insert; A connect shared T1 = T1; reader fails; state = 01 1 none 1; diary = on off"),
        (
            "works again, with the card: it had no power",
            "card insert; A connect shared T1 = T1; reader fails; reader works; state = 34 1 none 2; A status = ResetCard",
        ),
        ("works again, without a card", "reader fails; reader works; state = 02 0 none 1"),
        (
            "a card comes unseen",
            "reader fails; card insert; state = 01 0 none 0; diary =; reader works; state = 34 0 none 1; diary = on",
        ),
        (
            "a card leaves unseen",
            "card insert; A connect shared T1 = T1; reader fails; card remove; state = 01 1 none 1; reader works
             state = 02 1 none 2; A status = RemovedCard",
        ),
        (
            "in the middle of a command",
            "card insert; A connect shared T1 = T1; A borrow T1; reader fails; A status = ReaderUnavailable
             reader works = waits; A returns; reader works; diary = on off on; A status = ResetCard",
        ),
        (
            "is not reset",
            "card insert; A connect shared T1 = T1; reader fails; A disconnect reset; state = 01 0 none 1; diary = on off",
        ),
    ]);
}

#[test]
fn auto_power_off() {
    check(&[
        (
            "an unused card, after insertion",
            "card insert; time 599; diary = on; time 600; diary = off; state = 34 0 none 1",
        ),
        (
            "after the last handle",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; time 5000; diary = on; A disconnect leave
             time 9000; B disconnect leave; time 9599; diary =; state = 34 0 T1 1; time 9600; diary = off; state = 34 0 none 1",
        ),
        (
            "the next Connect powers it up",
            "card insert; time 600; A connect shared T0 = T0; diary = on off on; state = 34 1 T0 1",
        ),
        (
            "a handle in time",
            "card insert; time 599; A connect shared T1 = T1; time 9000; diary = on; A transmit T1 = 00A49000",
        ),
        ("a direct handle does not use the card", "card insert; A connect direct none = none; time 600; diary = on off"),
        (
            "a direct handle that reconnects does",
            "card insert; A connect direct none = none; A reconnect shared T1 leave = T1; time 9000; diary = on",
        ),
        (
            "a Connect that fails does not use the card",
            "card insert T0; time 100; A connect shared T1 = ProtocolMismatch; time 699; diary = on; time 700; diary = off",
        ),
        (
            "a card without power has none to lose",
            "card insert; A connect shared T1 = T1; A disconnect unpower; diary = on off; time 5000; diary =; state = 04 0 none 1",
        ),
        ("a removed card has none to lose", "card insert; card remove; diary = on off; time 5000; diary ="),
        ("time does not go back", "card insert; time 600; time 0; A connect shared T1 = T1; A disconnect leave; time 1199; state = 34 0 T1 1"),
    ]);
}
